"""The README's commands run, in their order, on small settings."""

import json
import re
import shlex
from pathlib import Path

import pytest

from fedmezo.main import main
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SMALL = (
    "model.type tiny-llama@random_llm federate.total_round_num 1 train.local_update_steps 1 data.num_examples 60 "
    "eval.max_examples 4 engine.threads 1"
)
ROW = {"question": "How many legs have 2 cats?", "answer": "2 * 4 = 8\n#### 8"}


def commands() -> list[list[str]]:
    """Return the words of every command of the runner in the README's shell blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("python -m fedmezo.main")]
    return [words[3:] for words in found]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that has what the commands name: the configurations and a FOLDER of data."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "FOLDER").mkdir()
    for name in ("mine.jsonl", "gsm8k_train.jsonl", "gsm8k_test.jsonl"):
        (tmp_path / "FOLDER" / name).write_text((json.dumps(ROW) + "\n") * 30, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_readme_runs(workplace: Path) -> None:
    found = commands()
    assert len(found) >= 10
    for words in found:
        small = SMALL.split() if "--cfg" in words else []
        assert main([*words, *small]) == 0, words
    assert len(list((workplace / "runs").iterdir())) == sum(
        "--cfg" in words and "--check" not in words for words in found
    )


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_files_that_the_readme_links_to_exist() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
