"""Every code block of the README and of the documentation is run by a test, or says that it is not, and why."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import REPOSITORY
from tests.docs.test_pages import PAGES, RUNS

FENCED = re.compile(
    r"(?:^<!-- not run by a test: (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```", re.M | re.S
)
NOT_CODE = {"text", "bibtex", "vectors"}
RUN_BY = {
    "a-strategy-of-your-own.md": "test_extensions.py",
    "classification.md": "guides/test_classification.py",
    "deployment.md": "guides/test_deployment.py",
    "evaluation.md": "guides/test_evaluation.py",
    "extending.md": "guides/test_extending.py",
    "library.md": "guides/test_library.py",
    "steps.md": "guides/test_steps.py",
    "your-own-data.md": "guides/test_your_own_data.py",
} | {page.name: "docs/test_pages.py" for page in PAGES}
INSTALLS = re.compile(r"make (demo|test)\b|pip install -e \.\[llm\]$")  # as .ci/run does


class Block(NamedTuple):
    """A fenced block: its language, its lines, and why it is not run, if that is said above it."""

    language: str
    code: str
    why: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of code of a page."""
    for found in FENCED.finditer(page.read_text(encoding="utf-8")):
        if found["language"] not in NOT_CODE:
            yield Block(found["language"], found["code"], found["why"])


@pytest.mark.parametrize(
    "page", [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))], ids=lambda page: page.stem
)
def test_a_block_is_run_or_says_that_it_is_not(page: Path) -> None:
    ours = [block for block in blocks(page) if block.why is None]
    assert page.read_text(encoding="utf-8").count("```") % 2 == 0 and all(block.language for block in ours)
    assert not ours or page.name in RUN_BY, f"{page.name}: {ours[0].code}"


@pytest.mark.parametrize(("page", "test"), RUN_BY.items())
def test_the_test_of_a_page_reads_it(page: str, test: str) -> None:
    source = (REPOSITORY / "tests" / test).read_text(encoding="utf-8")
    assert page in source or page.removesuffix(".md") in source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_line_that_is_not_a_run_installs(page: Path) -> None:
    """The other pages' tests take every line."""
    code = "".join(block.code for block in blocks(page) if block.language == "bash" and block.why is None)
    lines = [line.strip() for line in code.replace("\\\n", " ").splitlines()]
    assert [
        line
        for line in lines
        if line and not line.startswith("#") and not RUNS.match(line) and not INSTALLS.match(line)
    ] == []
