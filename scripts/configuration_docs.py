"""Print ``docs/configuration.md`` from the schema.

python scripts/configuration_docs.py > docs/configuration.md
"""

from collections.abc import Iterator

from fedmezo.config.help import shown
from fedmezo.config.key import Key, Section
from fedmezo.config.schema import SECTIONS
from fedmezo.config.types import Anything

INTRODUCTION = """\
# Configuration

<!-- Made by: python scripts/configuration_docs.py > docs/configuration.md -->

Every key, with its default, what is allowed, and what it means. In a file the dots are nested mappings; on the command
line they stay: `python -m fedmezo.main --cfg FILE train.optimizer.lr 1e-4`. A single value stands for a list of one, a
number may be written as text (`'1e-5'`), and `_base_` names files to build on: mappings merge, lists and values
replace. A key that is accepted without effect is there because configurations of the reference system hold it. An
unknown key is an error. `python -m fedmezo.main --help-config KEY` says the same.
"""


def document() -> Iterator[str]:
    """Yield the lines of the document."""
    yield INTRODUCTION
    for section in SECTIONS:
        yield from table(section)


def table(section: Section) -> Iterator[str]:
    """Yield the heading and the table of a section."""
    yield from (
        f"## {section.name}",
        "",
        section.help,
        "",
        "| key | default | allowed | meaning |",
        "|---|---|---|---|",
    )
    for key in section.keys:
        yield f"| {' | '.join(cells(key))} |"
    for name in section.open_names:
        yield f"| `{name}.*` | | {Anything().describe()} | Further arguments. |"
    yield ""


def cells(key: Key) -> tuple[str, str, str, str]:
    """Return the cells of a key's row."""
    return f"`{key.name}`", f"`{shown(key.default)}`", escaped(key.kind.describe()), escaped(key.summary)


def escaped(text: str) -> str:
    """Return text that neither ends a cell nor is taken for a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    print("\n".join(document()), end="")
