"""Results as a table: a metric at each point, and how it changed since the first."""

from collections.abc import Sequence

from fedmezo.core.text import aligned, when
from fedmezo.evaluation.tasks.results import Result, Score


def results_table(results: Sequence[Result]) -> str:
    """Return the results of one task at several points, of which the first is compared with the others."""
    return "\n".join(f"{_title(score)}\n{_rows(results, score)}" for score in results[0].scores)


def _title(score: Score) -> str:
    how = "" if score.filter == "none" else f", {score.filter}"
    return f"{score.task}: {score.metric}{how} ({score.examples} examples)"


def _rows(results: Sequence[Result], first: Score) -> str:
    rows = []
    for result in results:
        score = next(score for score in result.scores if score.key == first.key)
        rows.append(
            (
                when(result.rounds_done),
                _with_error(score.value, score.standard_error) + _change(results[0], result, score),
            )
        )
    return aligned(rows)


def _change(first: Result, result: Result, score: Score) -> str:
    change = first.change_to(result, score.key) if result is not first else None
    return "" if change is None else f"   change {change[0]:+.4f} ± {change[1]:.4f} (paired)"


def _with_error(value: float, error: float | None) -> str:
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"
