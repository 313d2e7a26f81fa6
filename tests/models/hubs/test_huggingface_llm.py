import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.models.hubs import BaseModel, load_base_model
from fedmezo.models.tokenizers import ByteTokenizer, PretrainedTokenizer
from fedmezo.models.trial import check_working
from tests.model_folders import edit, edit_weights
from tests.models.test_tokenizers import bpe
from tests.models.tiny import FAMILIES, NO_CACHE, bits, tiny_base


def load(name: Path | str, dtype: torch.dtype = torch.float32) -> BaseModel:
    return load_base_model(f"{name}@huggingface_llm", dtype=dtype, cache=NO_CACHE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a model and its tokenizer, as transformers saves them."""
    path = tmp_path / "model@home"
    tiny_base().save_pretrained(path)
    bpe(size=259).save_pretrained(path)
    return path


def test_a_folder_is_loaded_bit_for_bit(folder: Path) -> None:
    base = load(folder)
    assert bits(base.model) == bits(tiny_base())
    assert base.tokenizer.decode(base.tokenizer.encode(["slow"], special=True)[0]) == "slow"


def test_weights_are_loaded_in_the_wanted_dtype(folder: Path) -> None:
    assert bits(load(folder, torch.bfloat16).model) == bits(tiny_base(torch.bfloat16))


def test_a_device_map_is_passed_on_and_gives_the_same_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps: list[str | None] = []
    from_pretrained = AutoModelForCausalLM.from_pretrained

    def noted(*args: Any, **options: Any) -> Any:
        maps.append(options["device_map"])
        return from_pretrained(*args, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", noted)
    spread = load_base_model(f"{folder}@huggingface_llm", dtype=torch.float32, cache=NO_CACHE, device_map="auto")
    assert bits(spread.model.cpu()) == bits(load(folder).model) == bits(tiny_base())
    assert maps == ["auto", None]


def test_a_missing_end_of_text_is_added(folder: Path) -> None:
    endless = bpe(ending="<extra>")
    endless.eos_token = None
    endless.save_pretrained(folder)
    base = load(folder)
    assert base.tokenizer.extended
    assert base.model.get_input_embeddings().num_embeddings == base.tokenizer.eos_id + 1


@pytest.mark.parametrize("name", ["nowhere", "owner/nowhere", "nowhere/at/all", "/nowhere/at/all"])
def test_what_is_neither_here_nor_on_the_hub_is_unavailable(name: str) -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        load(name)
    first, second = str(caught.value).split("\n")
    assert first == f"model.type = {name}@huggingface_llm"
    assert f"there is no folder {name!r} (looked for as {Path(name).absolute()})" in second


def test_damaged_or_absent_weights_are_unavailable(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for damaged in (content[:200], content[:-1], b""):
        weights.write_bytes(damaged)
        with pytest.raises(ModelUnavailableError, match=r"model\.safetensors: "):
            load(folder)
    weights.unlink()
    with pytest.raises(ModelUnavailableError, match=r"no weights in safetensors format \(model\.safetensors\)"):
        load(folder)


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    ran = folder / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')")
    config = (folder / "config.json").read_text()
    automatic = '"auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}, "model_type": "own"'
    (folder / "config.json").write_text(config.replace('"model_type": "llama"', automatic))
    with pytest.raises(ModelUnavailableError, match="custom code"):
        load(folder)
    assert not ran.exists()


def test_a_folder_without_a_tokenizer_is_unavailable(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, bare)
    with pytest.raises(ModelUnavailableError, match="bare"):
        load(bare)


@pytest.mark.covering(2)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shard", ["1GB", "40KB"])
def test_every_family_is_loaded_whole_tied_or_not_in_one_file_or_many(
    family: str, tied: bool, shard: str, tmp_path: Path
) -> None:
    config = tiny_base(family=family).config
    config.tie_word_embeddings = tied
    with torch.random.fork_rng(devices=[]):
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path, max_shard_size=shard)
    ByteTokenizer().tokenizer.save_pretrained(tmp_path)
    base = load(tmp_path)
    assert (base.model.get_input_embeddings().weight is base.model.get_output_embeddings().weight) == tied
    assert bits(base.model) == bits(model)
    check_working(base.model, base.tokenizer)


def test_weights_that_are_said_to_be_tied_and_differ_are_not_tied(folder: Path) -> None:
    edit(folder / "config.json", tie_word_embeddings=True)
    assert bits(load(folder).model) == bits(tiny_base())


def test_masks_and_angles_that_earlier_versions_wrote_are_no_weights(folder: Path) -> None:
    older = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4), "h.0.attn.masked_bias": torch.ones(())}
    edit_weights(folder, lambda tensors: tensors.update(older))
    assert bits(load(folder).model) == bits(tiny_base())


def test_a_token_that_no_text_gives_needs_no_embedding(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<image>"})
    tokenizer.save_pretrained(folder)
    base = load(folder)
    assert len(base.tokenizer.tokenizer) > base.model.get_input_embeddings().num_embeddings
    assert base.tokenizer.pad_id == base.tokenizer.eos_id
    assert base.tokenizer.fingerprint != PretrainedTokenizer(tokenizer).fingerprint
