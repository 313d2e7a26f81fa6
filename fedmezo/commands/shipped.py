"""The configurations that come with the program: by name, wherever it is installed."""

from pathlib import Path

from fedmezo.core.documents.reading import read_document
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import nearest

PACKAGE = Path(__file__).parents[1]
SUFFIXES = (".yaml", ".yml")
RUNS, SUITES, SWEEPS = "", "paper", "sweeps"


def folder() -> Path:
    """Return the folder of the shipped configurations: in the package of a wheel, beside that of a checkout."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def names(kind: str = RUNS) -> list[str]:
    """Return the names of one kind, in order: its files without their ending."""
    return sorted(path.stem for path in (folder() / kind).glob("*.yaml"))


def find(text: str, kind: str = RUNS) -> Path:
    """Return the file that a user names: by its path, or as one that is shipped.

    Args:
        text: a path, which wins, or a name.
        kind: of the shipped ones.

    Raises:
        ConfigurationError: there is neither. A path to a YAML file is not looked up here, but where it is read.
    """
    path = Path(text)
    if path.suffix in SUFFIXES or path.is_file():
        return path
    inside = folder() / kind / f"{text}.yaml"
    if inside.is_file():
        return inside
    near = nearest(text, names(kind))
    raise ConfigurationError(f"{text}\n    no such file or shipped configuration{near}; fedmezo config list names them")


def summary(path: Path) -> str:
    """Return what a shipped file says that it is: its title, or the first sentence of its comment."""
    text = path.read_text(encoding="utf-8")
    if not text.startswith("#"):
        return str(read_document(path).get("title", ""))
    paragraph = text.partition("\n#\n")[0].splitlines()
    return " ".join(line.removeprefix("#").strip() for line in paragraph if line.startswith("#")).partition(". ")[0]
