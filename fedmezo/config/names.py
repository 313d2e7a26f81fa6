"""The names that are registered, read from the sources of the package and of extensions without importing them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedmezo.core.registry import Declaration, declarations, declared_names, described_names
from fedmezo.core.text import nearest

PACKAGE = Path(__file__).parent.parent
ROOT = "fedmezo."


def registered(folder: str, extensions: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of one kind: the package's in order, those of YAML files last; then those of extensions.

    Args:
        folder: the folder of the kind inside the package, such as ``data/splitters``.
        extensions: Python files, readable and without errors of syntax.
    """
    package = ROOT + folder.replace("/", ".")
    added = (each for path in extensions for each in declarations(Path(path)))
    own = (*declared_names(PACKAGE / folder, package), *described_names(PACKAGE / folder))
    return (*own, *(each.name for each in added if each.package == package))


def is_task(data_type: str) -> bool:
    """Return whether a dataset is described by a YAML file, of the package or of the user's own."""
    return data_type in described_names(PACKAGE / "data" / "sources") or data_type.lower().endswith((".yaml", ".yml"))


def declared(folder: str, name: str, extensions: Sequence[str] = ()) -> Declaration | None:
    """Return the declaration of a registered name, in the package or in extensions; None where there is none."""
    package = ROOT + folder.replace("/", ".")
    own = declared_names(PACKAGE / folder, package).get(name)
    paths = [PACKAGE / folder / f"{own}.py"] if own else map(Path, extensions)
    found = (each for path in paths for each in declarations(path))
    return next((each for each in found if (each.package, each.name) == (package, name)), None)


def fault(path: Path) -> str:
    """Return what keeps a file from being read as Python, with its place; empty where nothing does."""
    try:
        list(declarations(path))
    except FileNotFoundError:
        return f"{path}: no such file{nearest(path.name, (other.name for other in path.parent.glob('*.py')))}"
    except OSError as error:
        return f"{path}: {error.strerror}"
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError) as error:  # not UTF-8, a NUL character, brackets in brackets
        return f"{path}: expected Python ({error})"
    return ""


def clashes(extensions: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for every name in extensions that the package has, or an extension before."""
    first: dict[tuple[str, str], str] = {}
    for path in extensions:
        for each in declarations(Path(path)):
            place, folder = f"{path}:{each.line}", each.package.removeprefix(ROOT).replace(".", "/")
            if each.package.startswith(ROOT) and each.name.lower() in map(str.lower, registered(folder)):
                yield f"{place}: {each.name} is one of the package's own names; choose another"
            elif (each.package, each.name) in first:
                yield f"{place}: {each.name} is registered twice; the first is at {first[each.package, each.name]}"
            first.setdefault((each.package, each.name), place)
