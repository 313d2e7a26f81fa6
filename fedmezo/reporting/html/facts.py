"""What is most asked of a run, in a few lines."""

from fedmezo.core.text import duration, human
from fedmezo.evaluation.wilson import wilson
from fedmezo.reporting.html.costs import cost
from fedmezo.reporting.html.run import Run

BESIDE = {
    "majority": "the commonest class",
    "zero_shot": "zero-shot",
    "zero_shot_threshold": "zero-shot with a threshold",
}  # what accuracies are compared with, in words


def run_facts(run: Run) -> list[str]:
    """Return what is most asked of a run: how its losses changed, and what it took."""
    own = cost(run)
    changes = [(split, run.change(split)) for split in run.splits]
    taken = [
        f"{human(own.each_up)} up a client and round" if own.each_up is not None else "",
        f"{own.peak_memory_mib:,.0f} MiB at the peak" if own.peak_memory_mib is not None else "",
        duration(own.seconds) if own.seconds is not None else "",
    ]
    return [
        *filter(None, (_accuracy(run, split) for split in run.baselines)),
        *(f"{split} loss {change}" for split, change in changes if change),
        ", ".join(filter(None, taken)),
    ]


def _accuracy(run: Run, split: str) -> str:
    """Return the accuracies of a classification in words, the last with its interval, and what it is compared with."""
    found = run.results(split, "accuracy")
    examples = run.examples.get((max(found, default=0), split))
    if examples is None or not found:
        return ""
    first, last, count = found[min(found)], found[max(found)], len(examples.indices)
    low, high = wilson(last, count)
    known = run.baselines[split]
    beside = [f"{words} {100 * known[name]:.1f} %" for name, words in BESIDE.items() if name in known]
    return (
        f"{split} accuracy {100 * first:.1f} % -> {100 * last:.1f} % (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f} %, {count} examples); {', '.join(beside)}"
    )
