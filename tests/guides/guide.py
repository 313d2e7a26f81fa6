"""A guide as its tests follow it: the files that it has the reader write, and the commands that it has him type."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


class Guide:
    """A page of docs/guides.

    Attributes:
        text: of the page.
        files: contents by name.
        commands: the words of each after ``python -m fedmezo.main``, but for blocks that the page says no test runs.
    """

    def __init__(self, name: str) -> None:
        self.text = (REPOSITORY / "docs" / "guides" / name).read_text(encoding="utf-8")
        self.files: dict[str, str] = dict(re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", self.text, flags=re.DOTALL))
        shell = re.findall(r"(?<!-->\n)```bash\n(.*?)```", self.text, flags=re.DOTALL)
        self.commands = [shlex.split(line)[3:] for block in shell for line in block.replace("\\\n", " ").splitlines()]

    def begin(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in a folder with the guide's files and the configurations."""
        monkeypatch.chdir(folder)
        Path("configs").symlink_to(REPOSITORY / "configs")
        for name, content in self.files.items():
            Path(name).write_text(content, encoding="utf-8")
