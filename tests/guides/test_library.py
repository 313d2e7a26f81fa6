"""The guide to the library is followed, block by block, on a tiny model."""

import re
from pathlib import Path
from typing import Any

import pytest

import fedmezo
from tests.conftest import REPOSITORY
from tests.data.sources.archives import write_distribution

GUIDE = (REPOSITORY / "docs" / "guides" / "library.md").read_text(encoding="utf-8")
SMALL = {
    "model.type": "tiny-llama@random_llm", "train.local_update_steps": 1, "data.num_examples": 60,
    "eval.max_examples": 4, "engine.threads": 1,
}  # fmt: skip


def test_the_guide_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    write_distribution(Path("data"))
    names: dict[str, Any] = {"SMALL": SMALL}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL):
        capsys.readouterr()
        exec(block.replace('fedmezo.run("quickstart", {', 'fedmezo.run("quickstart", {**SMALL, '), names)
    (message,) = re.findall(r"```text\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert capsys.readouterr().out == message
    assert names["run"].summary["outcome"] == "completed" and names["model"].rounds == 3
    assert {"train_loss", "test_loss", "seconds"} <= set(names["frame"]) and len(names["frame"]) == 6


def test_every_exception_of_the_library_is_in_the_guide() -> None:
    assert all(f"`{name}`" in GUIDE for name in fedmezo.__all__ if name.endswith("Error") and name != "FedmezoError")
