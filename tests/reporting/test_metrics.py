import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from fedmezo.reporting.callbacks.metrics_file import MetricsFile
from fedmezo.reporting.metrics import metrics_row, read_metrics, train_loss
from tests.reporting.reports import CLIENTS, UNTRAINED, make_report


def test_a_line_holds_the_round() -> None:
    row = metrics_row(make_report(3, losses={"val": 1.25, "test": 1.5}, seconds=4.5, peak_memory_mib=700.0))
    clients = row.pop("clients")
    assert row == {
        "round": 3,
        "train_loss": (4 * 2.0 + 12 * 1.0) / 16,
        "val_loss": 1.25,
        "test_loss": 1.5,
        "rejected": [],
        "seconds": 4.5,
        "peak_memory_mib": 700.0,
    }
    assert clients[1] == {
        "client": 2,
        "loss": 1.0,
        "learning_rate": 0.5,
        "samples": 12,
        "nonfinite": 2,
        "seconds": 2.5,
        "bytes_up": 102,
        "bytes_down": 300,
    }


def test_a_round_without_evaluation_has_no_evaluated_losses() -> None:
    assert {"val_loss", "test_loss"}.isdisjoint(metrics_row(make_report()))


def test_losses_that_are_not_numbers_are_null(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    metrics.after_round(make_report(clients=(UNTRAINED,), losses={"val": math.nan}))
    (row,) = read_metrics(metrics.path)
    assert (row["train_loss"], row["val_loss"], row["clients"][0]["loss"]) == (None, None, None)
    assert "NaN" not in metrics.path.read_text()


def test_the_train_loss_is_weighted_as_the_updates_are() -> None:
    assert train_loss(make_report(clients=(*CLIENTS, UNTRAINED))) == 1.25
    equal = tuple(replace(client, weight=1) for client in CLIENTS)
    assert train_loss(make_report(clients=equal)) == 1.5
    weightless = (replace(CLIENTS[0], weight=0, train_loss=9.0), CLIENTS[1])
    assert train_loss(make_report(clients=weightless)) == 1.0
    assert math.isnan(train_loss(make_report(clients=(UNTRAINED,))))


def test_lines_are_appended_as_rounds_end(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    for index in range(3):
        metrics.after_round(make_report(index, seconds=1.0 + index))
        assert [row["seconds"] for row in read_metrics(metrics.path)] == [1.0 + i for i in range(index + 1)]


def test_a_resumed_run_keeps_times_and_drops_rounds_that_the_ledger_does_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = MetricsFile(path)
    for index in range(4):
        first.after_round(make_report(index, seconds=10.0 + index, peak_memory_mib=500.0))
    uninterrupted = path.read_text().splitlines()
    remembered = [replace(client, seconds=0.0) for client in CLIENTS]  # the ledger holds no times
    MetricsFile(path, [make_report(index, tuple(remembered)) for index in range(3)])
    assert path.read_text().splitlines() == uninterrupted[:3]


def test_a_rebuilt_file_follows_the_ledger_and_not_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    old = metrics_row(make_report(0, seconds=2.0)) | {"train_loss": 99.0}
    path.write_text(json.dumps(old) + "\n")
    MetricsFile(path, [make_report(0), make_report(1)])
    first, second = read_metrics(path)
    assert (first["train_loss"], first["seconds"]) == (1.25, 2.0)
    assert (second["seconds"], second["peak_memory_mib"]) == (None, None)
    assert [client["seconds"] for client in second["clients"]] == [None, None]


def test_a_torn_last_line_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    for index in range(2):
        metrics.after_round(make_report(index, seconds=1.0))
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert [row["round"] for row in read_metrics(path)] == [0]
    MetricsFile(path, [make_report(index) for index in range(2)])
    assert [row["seconds"] for row in read_metrics(path)] == [1.0, None]


@pytest.mark.parametrize("content", [None, ""])
def test_without_rounds_there_are_no_lines(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    if content is not None:
        path.write_text(content)
    assert read_metrics(path) == []


def test_a_damaged_line_loses_its_times_only(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    reports = [make_report(index) for index in range(3)]
    file = MetricsFile(path)
    for report in reports:
        file.after_round(replace(report, seconds=2.0))
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], b"\xff{", lines[2]]) + b"\n")
    MetricsFile(path, reports)
    assert [row["round"] for row in read_metrics(path)] == [0, 1, 2]
    assert [row["seconds"] for row in read_metrics(path)] == [2.0, None, 2.0]
