"""Folders of models with something wrong: each ends in one message before anything is trained, never in a traceback."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import yaml
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from fedmezo.main import main
from tests.conftest import TINY
from tests.example_counts import examples
from tests.model_folders import WEIGHTS, edit, edit_weights, faults, faulty, write_model

UP = "model.layers.1.mlp.up_proj.weight"
CHAT = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
SMALL = {"vocab_size": 259, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
EXAMPLES = int(os.environ.get("FEDMEZO_MUTATIONS", "0"))


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Stand in a folder with a sound model and a configuration."""
    folder = tmp_path_factory.mktemp("models")
    edit(write_model(folder / "sound") / "tokenizer_config.json", chat_template=CHAT)
    content = TINY | {"outdir": str(folder / "runs"), "federate": {"client_num": 3, "total_round_num": 1}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with contextlib.chdir(folder):
        yield folder


def outcome(model: str, *words: str) -> tuple[int, str]:
    """Return the exit code of ``--check`` on a model, and what was said on stderr."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(["--cfg", "tiny.yaml", "--check", "model.type", f"{model}@huggingface_llm", *words])
    return code, said.getvalue()


def more_tokens(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([" is "])
    tokenizer.save_pretrained(folder)


def another_ending(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"eos_token": "<|end|>"})
    tokenizer.save_pretrained(folder)


def of_newer_tokenizers(folder: Path) -> None:
    edit(folder / "tokenizer.json", model={"type": "Newer"})


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: edit_weights(folder, lambda tensors: tensors.__delitem__(name))


def with_tensor(name: str, tensor: torch.Tensor) -> Callable[[Path], None]:
    return lambda folder: edit_weights(folder, lambda tensors: tensors.update({name: tensor}))


def configured(**fields: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "config.json", **fields)


def written(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def gone(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def sharded(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="40KB")


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def lacking_a_shard(folder: Path) -> None:
    sharded(folder)
    shards(folder)[1].unlink()


def twice_in_shards(folder: Path) -> None:
    sharded(folder)
    first, second, *_ = shards(folder)
    save_file(load_file(second) | dict(list(load_file(first).items())[:1]), second, metadata={"format": "pt"})


def cut_off(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9])


def of_class(name: str, **sizes: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        config = getattr(transformers, f"{name.partition('For')[0].removesuffix('Model')}Config")(**SMALL | sizes)
        getattr(transformers, name)(config).save_pretrained(folder)

    return write


def adapter(folder: Path) -> None:
    settings = {"peft_type": "LORA", "base_model_name_or_path": "some/base"}
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


def adapter_alone(folder: Path) -> None:
    adapter(folder)
    gone("config.json", WEIGHTS)(folder)


# what is wrong, and words of the message
FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "more tokens than embeddings": (more_tokens, "token 259 of ' is ', and the model has embeddings for 259"),
    "an ending without an embedding": (another_ending, "token 259 of '<|end|>'"),
    "no such tokenizer": (of_newer_tokenizers, "the tokenizer in"),
    "no tokenizer": (gone("tokenizer.json", "tokenizer_config.json"), "the tokenizer in"),
    "a tokenizer that is none": (written("tokenizer.json", b"{"), "the tokenizer in"),
    "another shape": (with_tensor(UP, torch.zeros(3, 3)), f"{UP} has the shape [3, 3], and"),
    "no tensor": (without(UP), f"missing: {UP}"),
    "no head": (without("lm_head.weight"), "missing: lm_head.weight"),
    "one tensor more": (with_tensor("x.bias", torch.zeros(3)), "not known to it: x.bias"),
    "whole numbers": (with_tensor(UP, torch.zeros(64, 32, dtype=torch.int8)), f"{UP} of another type"),
    "not a number": (with_tensor(UP, torch.full((64, 32), torch.nan)), f"{UP} holds values that are not finite"),
    "cut off": (cut_off, WEIGHTS),
    "no safetensors": (written(WEIGHTS, b"PK\x03\x04"), WEIGHTS),
    "no weights": (gone(WEIGHTS), "no weights in safetensors format"),
    "a shard is gone": (lacking_a_shard, "names model-00002-of-"),
    "a tensor twice": (twice_in_shards, "is in another file of the folder, too"),
    "rope": (configured(rope_parameters={"rope_type": "foo"}), "foo"),
    "no such family": (configured(model_type="newer"), "newer"),
    "a type": (configured(hidden_size="32"), "'hidden_size' expected int"),
    "an activation": (configured(hidden_act="fast"), "fast"),
    "too wide": (configured(hidden_size=10**9), "describes a model of"),
    "too deep": (configured(num_hidden_layers=10**9), "num_hidden_layers = 1000000000"),
    "too many words": (configured(vocab_size=10**12), "describes a model of"),
    "no JSON": (written("config.json", b"{'a': 1}"), "config.json"),
    "an empty file": (written("config.json", b""), "config.json"),
    "a list": (written("config.json", b"[]"), "config.json"),
    "BERT": (of_class("BertForMaskedLM", intermediate_size=64), "BertLMHeadModel is no causal language model"),
    "T5": (of_class("T5ForConditionalGeneration"), "T5ForConditionalGeneration (t5) is no causal language model"),
    "a model of images": (of_class("ViTModel", intermediate_size=64), "ViTModel (vit) is no causal language model"),
    "no language model": (of_class("LlamaModel", intermediate_size=64), "missing: lm_head.weight"),
    "an adapter": (adapter_alone, "model.type some/base@huggingface_llm federate.restore_from"),
    "a model and an adapter": (adapter, "a model and an adapter of PEFT"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_a_message_that_names_it(fault: str, tmp_path: Path) -> None:
    make, words = FAULTS[fault]
    folder = Path(shutil.copytree("sound", tmp_path / "model"))
    make(folder)
    code, said = outcome(str(folder))
    assert code == 3, said
    assert said.startswith(f"fedmezo: model.type = {folder}@huggingface_llm\n") or "the tokenizer in" in said
    assert words in said and str(folder) in said


@pytest.mark.parametrize(
    "template",
    ["{{ raise_exception('a system message is required') }}", "{% if %}", "{{ messages.a.b }}", "{{ 1 / 0 }}"],
)
def test_a_chat_template_that_fails_is_told(template: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree("sound", tmp_path / "model"))
    edit(folder / "tokenizer_config.json", chat_template=template)
    code, said = outcome(str(folder), "data.prompt", "chat")
    assert code == 3
    assert said.startswith("fedmezo: data.prompt = chat\n    the chat template in ") and str(folder) in said


@settings(
    max_examples=EXAMPLES or examples(30),
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(st.data())
def test_whatever_is_wrong_a_model_works_or_is_refused_with_a_message(data: st.DataObject) -> None:
    fault = data.draw(faults(Path("sound")))
    note(repr(fault))
    shutil.rmtree("faulty", ignore_errors=True)
    code, said = outcome(str(faulty(Path("sound"), Path("faulty"), fault)), "data.prompt", "chat")
    note(said)
    assert code in (0, 2, 3)
    assert code == 0 or said.startswith("fedmezo: ")
