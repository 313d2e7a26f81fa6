"""Tokenizers that are published as ``tokenizer.model`` alone give the ids of sentencepiece itself; OPT's its own."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from fedmezo.core.errors import ConfigurationError, ModelUnavailableError
from fedmezo.main import main
from fedmezo.models.hubs import load_base_model
from fedmezo.models.sentence_pieces import load_tokenizer
from fedmezo.models.tokenizers import PretrainedTokenizer
from tests.models.test_tokenizers import bpe

sentencepiece = pytest.importorskip("sentencepiece")

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "How",
    "many",
    "apples",
    "has",
    "Tom",
    "if",
    "he",
    "buys",
    "12",
    "345",
    "naïve",
    "über",
    "print(x)",
    "return",
    "日本語",
    "ёлка",
    "ﬁne",
]
LETTERS = "abcdefg  hij\n\t0123456789.,!?éüß日本▁😀ﬁ"
TEXTS = (
    ["", "a", " a", "  a", "   two   spaces  ", "hello world ", "\nnew\r\nlines\n\n", "tab\tx", "1234567890", "3.14"]
    + [
        "ﬁne ½ Å é",
        "日本語テキスト",
        "👩‍👩‍👧",
        "▁ ▁▁x",
        "\u200b\u00a0\u3000",
        "def f(x):\n    return x",
        "x" * 50,
        "\x00",
        "\ufeff",
    ]
    + ["".join(random.Random(i).choices(LETTERS, k=30)) for i in range(200)]
)
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
    "merges spaces": {"model_type": "bpe", "byte_fallback": True, "remove_extra_whitespaces": True},
    "no dummy prefix": {"model_type": "bpe", "add_dummy_prefix": False, "normalization_rule_name": "identity"},
    "unigram": {"model_type": "unigram", "normalization_rule_name": "nmt_nfkc"},
}
TOKEN = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
OPEN_LLAMA = {  # as the paper's model has it
    "tokenizer_class": "LlamaTokenizer",
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": {**TOKEN, "content": "<s>"},
    "eos_token": {**TOKEN, "content": "</s>"},
    "unk_token": {**TOKEN, "content": "<unk>"},
    "pad_token": None,
    "model_max_length": 2048,
    "sp_model_kwargs": {},
    "clean_up_tokenization_spaces": False,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ``NAME.model`` of each kind, trained on made-up text."""
    folder = tmp_path_factory.mktemp("pieces")
    lines = [" ".join(random.Random(i).choices(WORDS, k=10)) for i in range(1000)]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    for name, options in KINDS.items():
        settings = {"remove_extra_whitespaces": False, "split_digits": True, "hard_vocab_limit": False, **options}
        sentencepiece.SentencePieceTrainer.Train(
            input=str(folder / "text.txt"), model_prefix=str(folder / name), vocab_size=500, minloglevel=5, **settings
        )
    return folder


def published(models: Path, kind: str, folder: Path, **changes: Any) -> Path:
    """Return a folder with the tokenizer of a kind, as the paper's model publishes its own."""
    folder.mkdir(exist_ok=True)
    shutil.copy(models / f"{kind}.model", folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(OPEN_LLAMA | changes))
    return folder


@pytest.mark.parametrize("legacy", [{}, {"legacy": True}, {"legacy": False}])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_texts_are_sentencepieces_own(kind: str, legacy: dict[str, bool], models: Path, tmp_path: Path) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(models / f"{kind}.model"))
    tokenizer = PretrainedTokenizer(load_tokenizer(published(models, kind, tmp_path, **legacy)))
    ids = [reference.encode(text) for text in TEXTS]
    assert tokenizer.encode(TEXTS, special=False) == ids
    assert tokenizer.encode(TEXTS, special=True) == [[reference.bos_id(), *row] for row in ids]
    known = [row for row in ids if reference.unk_id() not in row]
    assert [tokenizer.decode(row) for row in known] == [reference.decode(row) for row in known]
    assert (tokenizer.eos_id, len(known) > 2) == (reference.eos_id(), True)


def test_without_a_configuration_the_file_says_which_tokens_are_special(models: Path, tmp_path: Path) -> None:
    folder = published(models, "llama", tmp_path)
    (folder / "tokenizer_config.json").unlink()
    tokenizer = PretrainedTokenizer(load_tokenizer(folder))
    assert tokenizer.eos_id == 2 and tokenizer.encode(["a"], special=True)[0][0] == 1
    assert tokenizer.encode(["<s>a</s>"], special=False)[0][::2] == [1, 2]


@pytest.mark.parametrize(("bos", "first"), [(True, [1]), (False, [])])
def test_the_leading_token_is_as_the_configuration_says(
    bos: bool, first: list[int], models: Path, tmp_path: Path
) -> None:
    tokenizer = PretrainedTokenizer(load_tokenizer(published(models, "llama", tmp_path, add_bos_token=bos)))
    (plain,) = tokenizer.encode(["the cat"], special=False)
    assert tokenizer.encode(["the cat"], special=True) == [first + plain]


def test_a_saved_copy_is_the_same_tokenizer(models: Path, tmp_path: Path) -> None:
    tokenizer = PretrainedTokenizer(load_tokenizer(published(models, "unigram", tmp_path / "a")))
    tokenizer.save(tmp_path / "b")
    copy = PretrainedTokenizer(load_tokenizer(tmp_path / "b"))
    assert copy.fingerprint == tokenizer.fingerprint
    assert copy.encode(TEXTS, special=True) == tokenizer.encode(TEXTS, special=True)
    assert json.loads((tmp_path / "b/tokenizer_config.json").read_text())["tokenizer_class"] == "LlamaTokenizer"


def test_fingerprints_tell_models_of_equal_pieces_apart(models: Path, tmp_path: Path) -> None:
    prints = {
        PretrainedTokenizer(load_tokenizer(published(models, kind, tmp_path / kind.replace(" ", "_")))).fingerprint
        for kind in KINDS
    }
    assert len(prints) == len(KINDS)


def test_where_sentencepiece_is_missing_the_message_says_what_to_install(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"sentencepiece is not installed: pip install -e \.\[llm\]"):
        load_tokenizer(published(models, "llama", tmp_path))


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """Return a model that exists as the paper's does: ``pytorch_model.bin`` and ``tokenizer.model``."""
    path = published(models, "llama", tmp_path / "model")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(vocab_size=500, **sizes)).half().save_pretrained(path)
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    return path


def test_a_model_as_the_paper_has_it_is_trained(folder: Path, tiny_yaml: Callable[..., Path]) -> None:
    path = tiny_yaml(model={"type": f"{folder}@huggingface_llm"}, federate={"total_round_num": 1})
    assert main(["--cfg", str(path)]) == 0


def test_a_file_that_is_none_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(ModelUnavailableError, match=f"the tokenizer in {folder}: ."):
        load_base_model(f"{folder}@huggingface_llm", dtype=torch.float32, cache=tmp_path / "cache")


def test_opt_publishes_pieces_and_merges_and_opens_with_its_end(tmp_path: Path) -> None:
    own = bpe(["low lower lowest 12345 wörter"])
    own.backend_tokenizer.model.save(str(tmp_path))
    tokens = {f"{name}_token": {**TOKEN, "content": "</s>"} for name in ("bos", "eos", "unk")}
    settings = {
        "add_bos_token": True,
        "add_prefix_space": False,
        "errors": "replace",
        "tokenizer_class": "GPT2Tokenizer",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, **tokens}))
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    tokenizer = PretrainedTokenizer(load_tokenizer(tmp_path))
    texts = [text for text in TEXTS if text]
    plain = [own.backend_tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    assert tokenizer.encode(texts, special=False) == plain
    assert tokenizer.encode(texts, special=True) == [[tokenizer.eos_id, *row] for row in plain]
