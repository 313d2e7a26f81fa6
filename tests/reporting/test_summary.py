import json
from pathlib import Path

import pytest

from fedmezo.core.text import human, when
from fedmezo.evaluation.metrics.make import make_metrics
from fedmezo.evaluation.paired import PairedChange
from fedmezo.ledger.records import EvaluationRecord, Measured
from fedmezo.reporting.callbacks.metrics_file import MetricsFile
from fedmezo.reporting.summary import Changes, summarize, summary_table
from tests.ledger.made import evaluation
from tests.reporting.reports import make_report

LOSS, EXACT_MATCH = make_metrics(["loss", "exact_match"])
LOSSES = {"val": PairedChange(LOSS, before=2.0, after=1.9, examples=200, change=-0.12, standard_error=0.02)}
SHARES = {"test": PairedChange(EXACT_MATCH, before=0.1, after=0.25, examples=40, change=0.15, standard_error=0.05)}
BEST = evaluation(2, val=1.8)


def groups(done: int, loss: float, before: float) -> EvaluationRecord:
    """Return an evaluation of two clients with one category."""
    found = {
        "loss": Measured(loss, False, {"0": before, "1": before + 1}, {"farm": before}),
        "accuracy": Measured(0.5, True, {"0": before / 4}),
    }
    return EvaluationRecord(done, {"val": found})


CHANGES: Changes = {"loss": LOSSES, "exact_match": SHARES}
EVALUATIONS = [groups(0, 2.0, 2.0), groups(3, 1.9, 1.5)]


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """Return the metrics of three rounds, the first of which was rebuilt without times."""
    file = MetricsFile(tmp_path / "metrics.jsonl", [make_report(0)])
    file.after_round(make_report(1, seconds=2.0, peak_memory_mib=700.0))
    file.after_round(make_report(2, seconds=4.0, peak_memory_mib=650.0))
    return file.path


def test_a_summary_adds_up_the_rounds(metrics: Path) -> None:
    summary = summarize("completed", [make_report(index) for index in range(3)], EVALUATIONS, BEST, CHANGES, metrics)
    assert json.loads(json.dumps(summary, allow_nan=False)) == {
        "outcome": "completed",
        "rounds": 3,
        "best": {"rounds_done": 2, "losses": {"val": 1.8}},
        "losses": {
            "val": {
                "metric": "loss",
                "before": 2.0,
                "after": 1.9,
                "examples": 200,
                "change": -0.12,
                "standard_error": 0.02,
                "percent": pytest.approx(-5.0),
            }
        },
        "metrics": {
            "exact_match": {
                "test": {
                    "metric": "exact_match",
                    "before": 0.1,
                    "after": 0.25,
                    "examples": 40,
                    "change": 0.15,
                    "standard_error": 0.05,
                    "percent": pytest.approx(15.0),
                }
            }
        },
        "groups": {
            "clients": {"val": {"0": [2.0, 1.5], "1": [3.0, 2.5]}},
            "categories": {"val": {"farm": [2.0, 1.5]}},
            "client_accuracy": {"val": {"0": [0.5, 0.375]}},
            "category_accuracy": {},  # as of a run that an earlier version began
        },
        "nonfinite": 3 * 2,
        "rejected": 0,
        "bytes_up": 3 * (100 + 102),
        "bytes_down": 3 * (300 + 300),
        "seconds": 6.0,
        "peak_memory_mib": 700.0,
    }


def test_a_run_that_failed_before_its_first_round_has_a_summary(tmp_path: Path) -> None:
    summary = summarize("failed", [], [], None, {}, tmp_path / "metrics.jsonl")
    assert (summary["rounds"], summary["best"], summary["seconds"], summary["peak_memory_mib"]) == (0, None, 0, 0)
    assert "0 (failed)" in summary_table(summary, {}, 10)


def test_the_table_says_it_in_words(metrics: Path) -> None:
    summary = summarize("completed", [make_report(index) for index in range(3)], EVALUATIONS, BEST, CHANGES, metrics)
    lines = [" ".join(line.split()) for line in summary_table(summary, CHANGES, 460_800).splitlines()]
    assert lines == [
        "rounds 3 (completed)",
        "val loss 2.0000 -> 1.9000 (-5.00 %, 6.0 standard errors, 200 examples)",
        "test exact match 10.0 % -> 25.0 % (+15.0 points, 3.0 standard errors, 40 examples)",
        "val by client 0 2.000 -> 1.500; 1 3.000 -> 2.500",
        "best after 2 rounds",
        "losses not finite 6",
        "bytes 606 B up, 1.8 kB down, all clients and rounds",
        "parameters 460,800 trained; sending them would take 1.8 MB each way per client and round",
        "peak memory 700 MiB",
        "time 6 s, 2.0 s a round",
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_843_200, "1.8 MB"),
        (85_196_800, "85.2 MB"),
        (255.6e9, "255.6 GB"),
        (3e15, "3000.0 TB"),
    ],
)
def test_bytes_are_written_in_the_unit_that_suits_them(count: float, words: str) -> None:
    assert human(count) == words


@pytest.mark.parametrize(("done", "words"), [(0, "before training"), (1, "after 1 round"), (2, "after 2 rounds")])
def test_a_point_of_a_run_is_said_in_words(done: int, words: str) -> None:
    assert when(done) == words
