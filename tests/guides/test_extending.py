"""The guide to extending: each section's files are written as they stand, and its commands are run in their order."""

import re
import shlex
from pathlib import Path

import pytest

from fedmezo.main import main
from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "guides" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", GUIDE, flags=re.DOTALL | re.MULTILINE))
SMALL = [
    "model.type", "tiny-llama@random_llm", "federate.total_round_num", "1", "train.local_update_steps", "1",
    "data.num_examples", "40", "eval.max_examples", "4", "engine.threads", "1",
]  # fmt: skip
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


def blocks(title: str, *languages: str) -> list[str]:
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", SECTIONS[title], flags=re.DOTALL)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_is_followed(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A block of text is the message that comes of the last command, which is refused."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    for block in blocks(title, "python", "yaml"):
        Path(block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    commands = [line for block in blocks(title, "bash") for line in block.replace("\\\n", " ").splitlines()]
    messages = blocks(title, "text")
    assert commands and len(messages) <= 1
    for number, line in enumerate(commands, start=1):
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "fedmezo.main"]
        capsys.readouterr()
        refused = bool(messages) and number == len(commands)
        assert main([*words[3:], *SMALL]) == (2 if refused else 0), line
    assert not messages or capsys.readouterr().err == messages[0]
