"""The reference of the commands is that of their parsers."""

from scripts.commands_docs import document
from tests.conftest import REPOSITORY


def test_the_reference_is_made_of_the_parsers() -> None:
    """On a change: python scripts/commands_docs.py > docs/commands.md."""
    assert (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8") == "\n".join(document())
