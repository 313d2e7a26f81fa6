"""``partition.png``: a bar a client, of its examples by category, or by split where there are no categories."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fedmezo.data.partition import NO_CATEGORY, SPLITS, Partition
from fedmezo.reporting.dispensable import drawing, new_figure

# a category has a colour of its own, grey is for all the others together
COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9")
OTHER, OTHER_COLOUR = "(other)", "0.75"
LOWEST, TALLEST = 2.7, 14.0  # inches
WIDEST_NAME = 30


def draw_partition(path: Path, partition: Partition, categories: Sequence[str | None]) -> None:
    """Write the picture.

    Args:
        path: of the picture, PNG.
        partition: which client holds which examples.
        categories: of each example.
    """
    with drawing(path):
        _draw(path, partition, categories)


def _draw(path: Path, partition: Partition, categories: Sequence[str | None]) -> None:
    counts = _counts(partition, categories)
    clients = np.arange(len(partition.clients))
    figure = new_figure(9, min(max(1.6 + 0.35 * len(clients), LOWEST), TALLEST))
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    left = np.zeros(len(clients))
    for (name, widths), colour in zip(counts.items(), (*COLOURS, OTHER_COLOUR), strict=False):
        axes.barh(
            clients, widths, left=left, height=0.8 if len(clients) <= 120 else 1, color=colour, label=_label(name)
        )
        left += widths
    axes.set(xlabel="examples", ylabel="client", ylim=(len(clients) - 0.4, -0.6))
    axes.yaxis.set_major_locator(MaxNLocator(25, integer=True, min_n_ticks=1))
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=120)


def _counts(partition: Partition, categories: Sequence[str | None]) -> Mapping[str, Sequence[int]]:
    """Return, for each part of the bars, its width for each client: the commonest category first."""
    held = [partition.held(client, categories) for client in range(len(partition.clients))]
    totals = sum(held, Counter())
    if set(totals) <= {NO_CATEGORY}:
        return {name: [len(client.split(name)) for client in partition.clients] for name in SPLITS}
    named = [name for name, _ in totals.most_common(len(COLOURS))]
    counts = {name: [client[name] for client in held] for name in named}
    if len(totals) > len(named):
        counts[OTHER] = [client.total() - sum(client[name] for name in named) for client in held]
    return counts


def _label(name: str) -> str:
    short = name if len(name) <= WIDEST_NAME else name[: WIDEST_NAME - 3] + "..."
    return " " + short.replace("$", r"\$")  # matplotlib leaves out what begins with "_", and reads formulas in "$"
