"""Names of runs that tell them apart."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def labels(folders: Sequence[Path]) -> list[str]:
    """Return a name for each folder: its own, with as much of its path before it as sets it apart from its namesakes.

    Examples:
        >>> labels([Path("a/runs/x"), Path("b/runs/x"), Path("a/runs/y")])
        ['a/runs/x', 'b/runs/x', 'y']
    """
    paths = [folder.resolve().parts for folder in folders]
    found = [path[-1:] for path in paths]
    while shared := {name for name, count in Counter(found).items() if count > 1}:
        longer = [path[-len(name) - 1 :] if name in shared else name for path, name in zip(paths, found, strict=True)]
        if longer == found:
            break
        found = longer
    return [str(Path(*name)) for name in found]
