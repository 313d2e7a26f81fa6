import subprocess
import sys
from pathlib import Path

import pytest

from fedmezo.data.federated import FederatedData, build
from fedmezo.errors import ConfigurationError
from tests.data.conftest import ByteTokenizer

LANGUAGES = "code_alpaca_2k_language.jsonl"


def real(root: Path, data_type: str, file: str, splitter: str, tok_len: int = 600) -> FederatedData:
    return build(
        data_type,
        root=root,
        file=file,
        tokenizer=ByteTokenizer(),
        tok_len=tok_len,
        splits=(0.8, 0.1, 0.1),
        num_clients=3,
        seed=1,
        splitter=splitter,
    )


def generated(tokenizer: ByteTokenizer, splitter: str = "lda", seed: int = 0, tok_len: int = 600) -> FederatedData:
    return build(
        "arithmetic@llm",
        root=Path("none"),
        tokenizer=tokenizer,
        tok_len=tok_len,
        splits=(0.8, 0.1, 0.1),
        num_clients=3,
        seed=seed,
        num_examples=300,
        splitter=splitter,
        splitter_args={"alpha": 1.0} if splitter == "lda" else None,
    )


@pytest.mark.parametrize("splitter", ["iid", "lda", "meta"])
def test_real_code_data_divides_by_language(real_data: Path, splitter: str) -> None:
    data = real(real_data, "code_alpaca@llm", LANGUAGES, splitter)
    assert len(data.encoded) + data.num_dropped == 2017
    report = data.describe()
    assert LANGUAGES in report and f"{data.num_dropped} left out" in report
    assert "Python" in report and report.count("\n") >= 6


def test_real_gsm8k_keeps_its_own_test(real_data: Path) -> None:
    data = real(real_data, "gsm8k@llm", "", "iid")
    assert len(data.partition.union("test")) == data.num_own_test
    assert 1200 < data.num_own_test < 1319
    assert "of them its own test set" in data.describe()


def test_what_is_dropped_leaves_tokens_categories_and_partition_in_step() -> None:
    whole, cut = generated(ByteTokenizer()), generated(ByteTokenizer(), tok_len=300)
    assert whole.num_dropped == 0 < cut.num_dropped
    assert len(cut.categories) == len(cut.encoded) == 300 - cut.num_dropped
    assert all(cut.encoded.num_labels(index) > 0 for index in range(len(cut.encoded)))
    indices = [index for name in ("train", "val", "test") for index in cut.partition.union(name)]
    assert sorted(indices) == list(range(len(cut.encoded)))


def test_the_same_seed_gives_the_same_data_and_another_seed_does_not() -> None:
    first, again, other = (generated(ByteTokenizer(), seed=seed) for seed in (0, 0, 1))
    assert first.encoded.flat.tobytes() == again.encoded.flat.tobytes() != other.encoded.flat.tobytes()
    assert first.partition.digest() == again.partition.digest() != other.partition.digest()


def test_a_wrong_splitter_is_reported_before_data_is_read(tokenizer: ByteTokenizer) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.splitter = ldaa"):
        generated(tokenizer, splitter="ldaa")
    assert tokenizer.num_encoded == 0


def test_no_part_of_the_data_layer_but_batches_imports_torch() -> None:
    code = (
        "import sys, fedmezo.data.federated, fedmezo.data.order, fedmezo.data.sources.gsm8k;"
        "from fedmezo.data.splitters import registry; [registry[name] for name in registry.names()];"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
