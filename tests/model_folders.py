"""Folders of models as transformers saves them, and what may be wrong with them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedmezo.models.hubs import load_base_model

NO_CACHE = Path("unused")
WEIGHTS = "model.safetensors"
TEXTS = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
DELETED = "(deleted)"  # stands for a field that is not there
VALUES: tuple[Any, ...] = (
    *(DELETED, None, True, False, 0, 1, -1, 3, 2**31, 10**9, 10**18, 10**30, 0.5, -1e30, 1e999, float("nan")),
    *("", "x", "-1", "Llama", "float16", "\0", "{{ raise_exception('no') }}", "{% if %}", "../..", "ü"),
    *([], [0], ["x"], [[1e9]], {}, {"x": 1}, {"rope_type": "x"}, {"type": "x", "content": 7}),
)


def write_model(folder: Path, family: str = "tiny-llama") -> Path:
    """Save a tiny model of random weights with the tokenizer of bytes, and return its folder."""
    base = load_base_model(f"{family}@random_llm", dtype=torch.float32, cache=NO_CACHE)
    base.model.save_pretrained(folder)
    base.tokenizer.tokenizer.save_pretrained(folder)
    return folder


def edit(path: Path, **fields: Any) -> None:
    """Set fields of a JSON file; those that are DELETED go."""
    content = json.loads(path.read_text(encoding="utf-8")) | fields
    path.write_text(json.dumps({key: value for key, value in content.items() if value != DELETED}), encoding="utf-8")


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Change the tensors of a folder in place."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a folder.

    Args:
        file: it is in.
        place: the keys and indices of a field, the name of a tensor, or nothing for the file as a whole.
        what: the field's value; what became of the tensor or the file.
    """

    file: str
    place: tuple[Any, ...]
    what: Any

    def make(self, folder: Path) -> None:
        """Make a sound folder one with this fault."""
        path = folder / self.file
        if not self.place:
            FILES[self.what](path)
        elif self.file == WEIGHTS:
            edit_weights(folder, lambda tensors: TENSORS[self.what](tensors, self.place[0]))
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
            _set(content, self.place, self.what)
            path.write_text(json.dumps(content), encoding="utf-8")


def _set(node: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        node = node[key]
    if value == DELETED:
        del node[place[-1]]
    else:
        node[place[-1]] = value


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _halve(path: Path) -> None:
    _write(path, path.read_bytes()[: path.stat().st_size // 2])


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replaced(change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor], str], None]:
    def replace(tensors: dict[str, Tensor], name: str) -> None:
        tensors[name] = change(tensors[name]).contiguous()

    return replace


FILES: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": lambda path: _write(path, b""),
    "cut off": _halve,
    "of bytes": lambda path: _write(path, bytes(range(256))),
    "a list": lambda path: _write(path, b"[1]"),
    "a folder": _become_folder,
    "deep": lambda path: _write(path, b"[" * 10**5),
}
TENSORS: dict[str, Callable[[dict[str, Tensor], str], None]] = {
    "missing": lambda tensors, name: tensors.__delitem__(name),
    "renamed": lambda tensors, name: tensors.update({f"{name}_": tensors.pop(name)}),
    "one more": lambda tensors, name: tensors.update({f"x.{name}": tensors[name].clone()}),
    "of another shape": _replaced(lambda tensor: torch.zeros(3, 3)),
    "a row less": _replaced(lambda tensor: tensor[1:]),
    "flat": _replaced(lambda tensor: tensor.flatten()),
    "empty": _replaced(lambda tensor: tensor[:0]),
    "half": _replaced(lambda tensor: tensor.half()),
    "whole numbers": _replaced(lambda tensor: tensor.to(torch.int8)),
    "truth values": _replaced(lambda tensor: tensor.bool()),
    "NaN": _replaced(lambda tensor: tensor.index_fill(0, torch.tensor([0]), float("nan"))),
    "infinite": _replaced(lambda tensor: tensor / 0),
}


@st.composite
def faults(draw: st.DrawFn, folder: Path) -> Fault:
    """Draw a fault of a sound folder: of a file, a tensor, or a field of any depth."""
    file = draw(st.sampled_from((*TEXTS, *TEXTS, WEIGHTS)))
    if draw(st.integers(0, 9)) == 0:
        return Fault(file, (), draw(st.sampled_from(sorted(FILES))))
    if file == WEIGHTS:
        names = sorted(load_file(folder / WEIGHTS))
        return Fault(file, (draw(st.sampled_from(names)),), draw(st.sampled_from(sorted(TENSORS))))
    place = draw(places(json.loads((folder / file).read_text(encoding="utf-8"))))
    return Fault(file, place, draw(st.sampled_from(VALUES)))


@st.composite
def places(draw: st.DrawFn, node: Any) -> tuple[Any, ...]:
    """Draw the keys and indices that lead to a field of some depth."""
    place: tuple[Any, ...] = ()
    while isinstance(node, dict | list) and node and (not place or draw(st.booleans())):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        place = (*place, draw(st.sampled_from(keys)))
        node = node[place[-1]]
    return place


def faulty(sound: Path, folder: Path, fault: Fault) -> Path:
    """Copy a sound folder, make it faulty, and return it."""
    fault.make(Path(shutil.copytree(sound, folder)))
    return folder
