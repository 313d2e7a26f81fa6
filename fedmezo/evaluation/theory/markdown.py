"""Tables in Markdown that read well as they are."""

from collections.abc import Sequence


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table of lines of cells, the first of which is its header."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
