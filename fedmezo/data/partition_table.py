"""The partition as a table of plain text."""

from collections import Counter
from collections.abc import Sequence

from fedmezo.data.partition import NO_CATEGORY, SPLITS, Partition

MOST_COLUMNS = 12
WIDEST = 20


def partition_table(partition: Partition, categories: Sequence[str | None]) -> str:
    """Return one row a client: train, val and test, then a column a category (all three), common first."""
    totals = sum((partition.held(client, categories) for client in range(len(partition.clients))), Counter())
    names = [name for name, _ in totals.most_common(MOST_COLUMNS)] if set(totals) != {NO_CATEGORY} else []
    other = ["other"] if names and len(totals) > len(names) else []
    header = ["client", *SPLITS, *(_short(name) for name in names), *other]
    rows = [header]
    for index, client in enumerate(partition.clients):
        held = partition.held(index, categories)
        rest = [str(held.total() - sum(held[name] for name in names))] if other else []
        sizes = [str(len(client.split(name))) for name in SPLITS]
        rows.append([str(index), *sizes, *(str(held[name]) for name in names), *rest])
    return _align(rows)


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= WIDEST else line[: WIDEST - 3] + "..."


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
