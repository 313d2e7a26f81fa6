"""Models that exist as ``pytorch_model.bin`` only: the same model as in safetensors, or one message."""

import json
import os
import pickle
import re
import resource
import shutil
import signal
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.main import main
from fedmezo.models import converted
from fedmezo.models.hashing import model_hash
from fedmezo.models.hubs import load_base_model
from fedmezo.models.torch_checkpoint import read_tensors
from tests.model_folders import write_model
from tests.models.tiny import FAMILIES, bits, tiny_base
from tests.programs import CONTEXT

INDEX = "pytorch_model.bin.index.json"
State = dict[str, Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a model in safetensors format and its tokenizer."""
    return write_model(tmp_path / "model")


def pickled(folder: Path, *, legacy: bool = False, change: Callable[[State], Any] = lambda state: state) -> Path:
    """Put the weights of a folder into ``pytorch_model.bin`` alone."""
    state = load_file(folder / "model.safetensors")
    path = folder / "pytorch_model.bin"
    torch.save(change(state), path, _use_new_zipfile_serialization=not legacy)
    (folder / "model.safetensors").unlink()
    return path


def sharded(folder: Path) -> list[str]:
    """Put the weights of a folder into two files and an index; return the files' names."""
    state = load_file(folder / "model.safetensors")
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    places = {key: names[i % 2] for i, key in enumerate(state)}
    for name in names:
        torch.save({key: state[key] for key, place in places.items() if place == name}, folder / name)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / "model.safetensors").unlink()
    return names


def load(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    cache = folder.parent / "cache"
    return load_base_model(f"{folder}@huggingface_llm", dtype=dtype, cache=cache).model


def kept(folder: Path) -> Path:
    (place,) = (folder.parent / "cache/models").iterdir()
    return place


def weights(folder: Path) -> list[Path]:
    return sorted(kept(folder).glob("*.safetensors"))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_is_that_of_the_same_weights_in_safetensors(family: str, legacy: bool, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", family)
    before = load(folder)
    pickled(folder, legacy=legacy)
    after = load(folder)
    assert bits(after) == bits(before) and model_hash(after) == model_hash(before)
    assert bits(load(folder, torch.bfloat16)) == bits(tiny_base(torch.bfloat16, family))
    assert after.name_or_path == str(folder)


def test_a_checkpoint_in_parts_is_the_same_model(folder: Path) -> None:
    sharded(folder)
    assert bits(load(folder)) == bits(tiny_base())
    assert [path.name for path in weights(folder)] == [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]


def test_it_is_converted_once_with_a_notice(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pickled(folder)
    with caplog.at_level("INFO", "fedmezo"):
        load(folder)
        first = stat.S_IFMT(weights(folder)[0].stat().st_mode), weights(folder)[0].stat().st_ino
        load(folder)
    assert caplog.text.count("Converting") == 1
    assert first == (stat.S_IFREG, weights(folder)[0].stat().st_ino)


def test_the_copy_is_a_folder_of_transformers_without_pickles(folder: Path) -> None:
    pickled(folder)
    load(folder)
    names = {path.name for path in kept(folder).iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= names
    assert not any(name.endswith((".bin", ".part")) for name in names)
    with safe_open(kept(folder) / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_safetensors_beside_it_are_used(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    torch.save({key: tensor + 1 for key, tensor in state.items()}, folder / "pytorch_model.bin")
    assert bits(load(folder)) == bits(tiny_base())
    assert not (folder.parent / "cache").exists()


def test_tied_tensors_are_written_once(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "tiny-gpt2")
    pickled(folder, change=lambda state: state | {"lm_head.weight": state["transformer.wte.weight"]})
    assert bits(load(folder)) == bits(tiny_base(family="tiny-gpt2"))
    assert "lm_head.weight" not in load_file(weights(folder)[0])


def test_tensors_that_share_memory_without_being_tied_are_written_each(folder: Path) -> None:
    def share(state: State) -> State:
        both = torch.stack([state["model.embed_tokens.weight"], state["lm_head.weight"]])
        first = state["model.layers.0.self_attn.q_proj.weight"]
        rest = {key: tensor for key, tensor in state.items() if "layers.1.self_attn.q_proj" not in key}
        return rest | {
            "model.embed_tokens.weight": both[0],
            "lm_head.weight": both[1],
            "model.layers.0.self_attn.q_proj.weight": first.t().contiguous().t(),
            "model.layers.1.self_attn.q_proj.weight": first,
        }

    state = load_file(folder / "model.safetensors")
    pickled(folder, change=share)
    model = load(folder).state_dict()
    first = state["model.layers.0.self_attn.q_proj.weight"]
    assert torch.equal(model["lm_head.weight"], state["lm_head.weight"])
    assert torch.equal(model["model.embed_tokens.weight"], state["model.embed_tokens.weight"])
    assert all(torch.equal(model[f"model.layers.{i}.self_attn.q_proj.weight"], first) for i in (0, 1))


def test_another_file_at_the_same_place_is_converted_anew(folder: Path) -> None:
    path = pickled(folder)
    load(folder)
    state = torch.load(path, weights_only=True)
    torch.save({key: tensor + 1 for key, tensor in state.items()}, path)
    os.utime(path, (1, 1))
    model = load(folder).state_dict()
    assert all(torch.equal(model[key], tensor + 1) for key, tensor in state.items())


@pytest.mark.parametrize("damage", ["truncated", "changed", "without a record", "removed"])
def test_a_damaged_conversion_is_made_anew_where_it_is_damaged(folder: Path, damage: str) -> None:
    sharded(folder)
    load(folder)
    sound, path = weights(folder)
    inode = sound.stat().st_ino
    content = path.read_bytes()
    match damage:
        case "truncated":
            path.write_bytes(content[:-100])
        case "changed":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "without a record":
            path.with_name(f"{path.name}.sha256").unlink()
        case "removed":
            path.unlink()
    assert bits(load(folder)) == bits(tiny_base())
    assert path.read_bytes() == content and sound.stat().st_ino == inode


def test_a_conversion_that_broke_off_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sharded(folder)
    asked: list[str] = []

    def breaks_off(path: Path) -> State:
        asked.append(path.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return read_tensors(path)

    monkeypatch.setattr(converted, "read_tensors", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    assert bits(load(folder)) == bits(tiny_base())
    assert asked == [names[0], names[1], names[1]]


def test_two_at_once_convert_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled(folder)
    asked: list[Path] = []

    def noted(path: Path) -> State:
        asked.append(path)
        return read_tensors(path)

    monkeypatch.setattr(converted, "read_tensors", noted)
    arguments = (folder, AutoConfig.from_pretrained(folder), folder.parent / "cache")
    threads = [threading.Thread(target=converted.as_safetensors, args=arguments) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1 and bits(load(folder)) == bits(tiny_base())


def test_a_cache_that_holds_it_need_not_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled(folder)
    load(folder)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(converted, "locked", refuse)
    assert bits(load(folder)) == bits(tiny_base())


class Executes:
    """Creates a file when it is unpickled by something that executes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle 0", "pickle 2", "pickle 4"])
def test_a_file_that_executes_something_is_refused_by_its_name(folder: Path, how: str) -> None:
    path = pickled(folder)
    content = {"a": Executes(folder / "ran")}
    if how.startswith("pickle"):
        path.write_bytes(pickle.dumps(content, protocol=int(how[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    error = refused(folder)
    assert str(path) in error and "it wants to execute posix.system" in error
    assert not (folder / "ran").exists()


def refused(folder: Path) -> str:
    """Return the message for a folder, after its conversion left nothing behind."""
    with pytest.raises(ModelUnavailableError) as caught:
        load(folder)
    assert caught.value.exit_code == 3
    assert not list(folder.parent.glob("cache/models/*/*.safetensors*"))
    return str(caught.value)


def as_tar(state: State, path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.add(__file__, name)


def as_script(state: State, path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(2)), path)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda state, path: path.write_bytes(b""), "it is empty"),
        (lambda state, path: path.write_bytes(path.read_bytes()[:-1000]), "it cannot be read: .*central directory"),
        (lambda state, path: path.write_bytes(path.read_bytes()[:50]), "it cannot be read: .*central directory"),
        (lambda state, path: path.write_text("<html>log in</html>"), "it is damaged, or no checkpoint"),
        (lambda state, path: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
        (lambda state, path: torch.save(list(state.values()), path), "it holds a list; expected tensors by name"),
        (lambda state, path: torch.save({}, path), "it holds no tensors"),
        (lambda state, path: torch.save({"state_dict": state}, path), "'state_dict' is a dict; expected tensors"),
        (lambda state, path: torch.save(state | {"epoch": 3}, path), "'epoch' is a int; expected tensors"),
        (lambda state, path: torch.save({"a": np.ones(2)}, path), r"wants to execute numpy\._core\.multiarray"),
        (lambda state, path: torch.save(torch.nn.Linear(2, 2), path), "wants to execute torch.nn.modules.linear"),
        (lambda state, path: torch.save({"a": torch.eye(2).to_sparse()}, path), "'a' is sparse, quantised or empty"),
        (as_tar, "it cannot be read: .*tar format"),
        (as_script, "it cannot be read: .*TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_no_checkpoint_of_tensors_is_told(folder: Path, write: Callable[..., Any], words: str) -> None:
    path = pickled(folder)
    write(torch.load(path, weights_only=True), path)
    error = refused(folder)
    assert f"{path}\n    " in error and re.search(words, error)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ('{"weight_map": {"a": "gone.bin"}}', "it names gone.bin, which is not there"),
        ('{"weight_map": {"a": "../model/pytorch_model-00001-of-00002.bin"}}', "it names ../model/pytorch_model"),
        ("{}", "it is no index"),
        ("[1]", "it is no index"),
        ('{"weight_map": {}}', "it names no tensors"),
        ("no json", "it is no index"),
    ],
)
def test_an_index_that_is_wrong_is_told(folder: Path, index: str, words: str) -> None:
    sharded(folder)
    (folder / INDEX).write_text(index)
    error = refused(folder)
    assert f"{folder / INDEX}\n    {words}" in error


def on_a_full_disk(folder: Path, answer: Connection) -> None:
    """Answer with what is said where no file can be larger than 50 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    answer.send(refused(folder))


@pytest.mark.integration
def test_a_disk_that_is_full_is_told_and_left_as_it_was(folder: Path) -> None:
    pickled(folder)
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=on_a_full_disk, args=(folder, theirs))
    process.start()
    theirs.close()
    said = ours.recv()
    process.join()
    assert "the model cannot be kept there in safetensors format" in said and "File too large" in said
    assert not list(folder.parent.glob("cache/models/*/*.safetensors*"))


def test_a_cache_that_cannot_be_written_is_told(folder: Path) -> None:
    pickled(folder)
    (folder.parent / "cache").write_text("a file")
    with pytest.raises(ModelUnavailableError, match=r"Not a directory\n    .*llm\.cache\.model or FEDMEZO_CACHE"):
        load(folder)


def test_a_run_on_it_ends_as_one_on_safetensors(
    folder: Path, tmp_path: Path, tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def digest(name: str) -> str:
        path = tiny_yaml(model={"type": f"{folder}@huggingface_llm"}, federate={"total_round_num": 1})
        assert main(["--cfg", str(path), "expname", name]) == 0
        return (tmp_path / "runs" / name / "summary.json").read_text()

    def results(text: str) -> Iterator[Any]:
        return ((key, value) for key, value in json.loads(text).items() if "loss" in key)

    before = digest("safe")
    shutil.copy(folder / "model.safetensors", tmp_path)
    pickled(folder)
    after = digest("pickled")
    assert dict(results(before)) == dict(results(after)) != {}
    assert "Converting" in capsys.readouterr().err
