import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.divide import make_partition
from fedmezo.data.federated import FederatedData, build
from fedmezo.data.sources.source import Request
from fedmezo.data.splitters.make import make_splitter
from fedmezo.main import main
from tests.data.conftest import ByteTokenizer
from tests.data.rows import DOLLY

LANGUAGES = "code_alpaca_2k_language.jsonl"


def real(root: Path, data_type: str, file: str, splitter: str, tok_len: int = 600) -> FederatedData:
    return build(
        Request(data_type, root, file=file, seed=1),
        tokenizer=ByteTokenizer(),
        tok_len=tok_len,
        splits=(0.8, 0.1, 0.1),
        num_clients=3,
        splitter=splitter,
    )


def generated(tokenizer: ByteTokenizer, splitter: str = "lda", seed: int = 0, tok_len: int = 600) -> FederatedData:
    return build(
        Request("arithmetic@llm", Path("none"), num_examples=300, seed=seed),
        tokenizer=tokenizer,
        tok_len=tok_len,
        splits=(0.8, 0.1, 0.1),
        num_clients=3,
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


def test_responses_that_the_limit_cuts_are_told_part_by_part(
    tmp_path: Path, tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"Say {n}.", "output": "word " * (200 if n % 2 else 2) + str(n)} for n in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    cfg = tiny_yaml(data={"root": str(tmp_path), "type": "a.jsonl"}, federate={"client_num": 3, "total_round_num": 1})
    assert main(["--cfg", str(cfg), "expname", "r"]) == 0
    run = tmp_path / "runs" / "r"
    told = json.loads((run / "partition.json").read_text())
    sizes = {name: sum(client[name]["examples"] for client in told["clients"]) for name in ("train", "val", "test")}
    parts = ", ".join(f"{name} {told['cut'][name]} of {size}" for name, size in sizes.items())
    warning = f"warning: llm.tok_len = 420 cuts off the end of 30 responses ({parts})"
    assert sum(told["cut"].values()) == 30 and min(told["cut"].values()) > 0
    assert warning in capsys.readouterr().err and warning in (run / "run.log").read_text()
    assert main(["--cfg", str(cfg), "--check", "llm.tok_len", "2000"]) == 0
    assert "llm.tok_len" not in capsys.readouterr().out


def dolly(folder: Path, splitter: str, num_clients: int, subsample: float = 1.0) -> FederatedData:
    """Divide rows of our own in Dolly's format: 24, of eight categories."""
    (folder / "databricks-dolly-15k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DOLLY))
    return build(
        Request("dolly-15k@llm", folder, splitter=splitter),
        tokenizer=ByteTokenizer(),
        tok_len=1000,
        splits=(0.9, 0, 0.1),
        num_clients=num_clients,
        splitter=splitter,
        subsample=subsample,
    )


@pytest.mark.parametrize(("num_clients", "categories"), [(3, [2, 3, 3]), (8, [1] * 8)])
def test_meta_gives_a_client_whole_categories_of_dolly(tmp_path: Path, num_clients: int, categories: list[int]) -> None:
    data = dolly(tmp_path, "meta", num_clients)
    held = [data.partition.held(client, data.categories) for client in range(num_clients)]
    assert sorted(map(len, held)) == categories
    assert all(set(counter.values()) == {3} for counter in held)


def test_lda_mixes_the_categories_of_dolly(tmp_path: Path) -> None:
    data = dolly(tmp_path, "lda", 3)
    held = [data.partition.held(client, data.categories) for client in range(3)]
    assert sum(counter.total() for counter in held) == 24 and len(sum(held, Counter())) == 8
    assert any(0 < counter[name] < 3 for counter in held for name in counter)


def test_what_subsampling_leaves_out_nobody_has(tmp_path: Path) -> None:
    data = dolly(tmp_path, "iid", 2, subsample=0.5)
    assert sum(data.partition.held(client, data.categories).total() for client in range(2)) == 12


def test_data_without_categories_say_what_to_do_with_meta() -> None:
    with pytest.raises(ResourceError, match=r"data\.splitter iid"):
        make_partition([None] * 9, 0, splitter=make_splitter("meta", {}), splits=(1, 0, 0), num_clients=3, seed=0)


def test_the_same_seed_gives_the_same_data_and_another_seed_does_not() -> None:
    first, again, other = (generated(ByteTokenizer(), seed=seed) for seed in (0, 0, 1))
    assert first.encoded.flat.tobytes() == again.encoded.flat.tobytes() != other.encoded.flat.tobytes()
    assert first.partition.hash() == again.partition.hash() != other.partition.hash()


def test_a_wrong_splitter_is_reported_before_data_is_read(tokenizer: ByteTokenizer) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.splitter = ldaa"):
        generated(tokenizer, splitter="ldaa")
    assert tokenizer.num_encoded == 0


def test_no_part_of_the_data_layer_but_batches_imports_torch() -> None:
    code = (
        "import sys, fedmezo.data.federated, fedmezo.data.client_batches, fedmezo.data.sources.gsm8k;"
        "from fedmezo.data.splitters import registry; [registry[name] for name in registry.names()];"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
