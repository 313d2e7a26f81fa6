"""The commands of the README and of the guides that have no test of their own run, on small settings."""

import io
import json
import re
import shlex
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

import fedmezo
from fedmezo.__main__ import main as front_door
from fedmezo.evaluate import main as evaluate
from fedmezo.generate import main as generate
from fedmezo.main import main
from fedmezo.replay import main as replay
from fedmezo.report import main as report
from tests.conftest import REPOSITORY
from tests.data.sources.archives import write_distribution

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
GUIDES = ("accuracy-as-the-objective", "aggregation-rule", "choosing-mu-and-the-rate", "out-of-memory", "theory")
PAGES = [REPOSITORY / name for name in ("README.md", "docs/index.md", "docs/concepts.md")]
PAGES += [REPOSITORY / "docs" / "guides" / f"{name}.md" for name in GUIDES]
RUNS = re.compile(r"fedmezo |python -m fedmezo\.")
WRITTEN = re.compile(r"[Ww]rite\s`([\w.]+)`[^`\n]*:\n\n```\w+\n(.*?)```", flags=re.DOTALL)
Program = Callable[[list[str]], int]
SMALL = (
    "model.type tiny-llama@random_llm train.local_update_steps 1 data.num_examples 60 "
    "eval.max_examples 4 engine.threads 1 dataloader.batch_size 2"
)
SHORT = "data.steps 1 data.prompt plain"
LIMITS = {"--fidelity": "4", "--limit": "1", "--blocks": "2", "zo.blocks": "2"}
SAMPLES = ["--batches", "3", "--examples", "1", "--pairs", "2", "--steps", "2"]
FILES = ("mine.jsonl", "gsm8k_train.jsonl", "gsm8k_test.jsonl")


def row(cats: int) -> str:
    """Return a line of a file of problems: they differ, as equal ones are left out of what is held out."""
    problem = {"question": f"How many legs have {cats} cats?", "answer": f"{cats} * 4 = {4 * cats}\n#### {4 * cats}"}
    return json.dumps(problem) + "\n"


MODULES: Mapping[str, Program] = {
    "fedmezo.main": main,
    "fedmezo.replay": replay,
    "fedmezo.report": report,
    "fedmezo.evaluate": evaluate,
    "fedmezo.generate": generate,
}


class Command(NamedTuple):
    """A command of a page: of ``fedmezo``, or of one of the modules behind it."""

    main: Program
    words: list[str]

    @property
    def configured(self) -> bool:
        """Whether it takes a configuration, so that settings can follow."""
        return "--cfg" in self.words or (self.main is front_door and self.words[0] in ("run", "check", "suggest"))

    @property
    def trains(self) -> bool:
        """Whether it begins a run."""
        return self.configured and not {"--check", "--suggest", "check", "suggest"} & {*self.words}


def commands(page: Path) -> list[Command]:
    """Return every command in a page's shell blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [
        Command(front_door, words[1:]) if words[0] == "fedmezo" else Command(MODULES[words[2]], words[3:])
        for words in (shlex.split(line, comments=True) for line in lines if RUNS.match(line))
    ]


pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that has what the commands name: the configurations and a FOLDER of data."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "FOLDER").mkdir()
    for first, name in enumerate(FILES):
        rows = map(row, range(30 * first, 30 * first + 30))
        (tmp_path / "FOLDER" / name).write_text("".join(rows), encoding="utf-8")
    (tmp_path / "data").mkdir()
    write_distribution(tmp_path / "data")  # what the quickstart fetches
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.integration) if page.stem == "README" else page for page in PAGES],  # lm_eval
    ids=lambda page: page.stem,
)
def test_every_command_of_a_page_runs(workplace: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files that the page has the reader write, and the run that it begins with."""
    text = page.read_text(encoding="utf-8")
    for name, content in WRITTEN.findall(text):
        (workplace / name).write_text(content, encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    found = commands(page)
    assert found
    first = next(each for each in found if each.trains or not each.configured)
    begun_with = "word_problems" if "runs/word_problems" in text else "quickstart"
    given = found if first.trains else [Command(front_door, ["run", begun_with]), *found]
    short = [] if re.search(r"data\.prompt|^ *prompt:|lda", text, flags=re.MULTILINE) else SHORT.split()
    for each in given:
        small = [*SMALL.split(), *short, "federate.total_round_num", rounds(found)] if each.configured else []
        small += ["zo.blocks", "2"] if "in_blocks" in " ".join(each.words) else []  # the tiny model has two layers
        assert each.main([*shortened(each.words), *small]) == 0, each.words
    begun = sum(each.trains for each in given)
    assert len([path for path in (workplace / "runs").iterdir() if (path / "ledger.bin").exists()]) == begun


def shortened(words: list[str]) -> list[str]:
    """Return a command's words with fewer examples to ask and to measure with."""
    fewer = [LIMITS.get(before, word) for before, word in pairwise(["", *words])]
    return [*fewer, *SAMPLES] if words[0] == "theory" else fewer


def rounds(found: list[Command]) -> str:
    """Return how many rounds the page's runs need: as many as it asks for later."""
    after = [words[words.index("--round") :] for _, words in found if "--round" in words]
    asked = [int(word) for words in after for word in words if word.isdigit()]
    return str(max(asked, default=1))


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_bytes()) <= 8192


def test_the_software_is_cited_as_what_it_is() -> None:
    (own,) = re.findall(r"^@software\{.*?^\}", README, flags=re.DOTALL | re.MULTILINE)
    fields = dict(re.findall(r"^  (\w+) += \{+(.*?)\}+,?$", own, flags=re.MULTILINE))
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert fedmezo.__doc__ is not None
    assert fields["title"] == cited["title"] == fedmezo.__doc__.partition(":")[0]
    assert fields["version"] == cited["version"] == fedmezo.__version__
    assert [{"name": fields["author"]}] == cited["authors"] and fields["year"] == "2026"


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_files_that_the_readme_links_to_exist() -> None:
    """The site is built strictly, which finds those of its own pages."""
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert len(links) > 10 and [link for link in links if not (REPOSITORY / link).exists()] == []


def test_tests_that_the_page_of_faults_names_exist() -> None:
    page = REPOSITORY / "docs" / "design" / "found-in-the-wild.md"
    named = re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
    assert len(named) > 30
    assert [name for name in named if not list((REPOSITORY / "tests").rglob(name))] == []
