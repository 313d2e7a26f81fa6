"""The page of the tasks is made of their files, with a row for each."""

from fedmezo.data.load import DESCRIBED
from scripts.tasks_docs import ROWS, document
from tests.conftest import REPOSITORY


def test_the_page_is_made_of_the_files() -> None:
    """On a change: python scripts/tasks_docs.py > docs/tasks.md."""
    assert (REPOSITORY / "docs" / "tasks.md").read_text(encoding="utf-8") == "\n".join(document())


def test_every_task_has_a_row_and_a_template_that_is_shown() -> None:
    page = "\n".join(document())
    assert ROWS.keys() == DESCRIBED.keys() and all(f"## {name}\n" in page for name in DESCRIBED)
    assert "a slow film that is worth the wait It was[ great]" in page
    assert 'Does this mean that "No car crossed it at midnight." is true? Yes or No?\n[Yes]' in page
