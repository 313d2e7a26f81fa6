import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedmezo.core.run_folder import RunFolder
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import RoundRecord
from fedmezo.reporting.html.costs import cost
from fedmezo.reporting.html.gradients import gradient_figures, gradients
from fedmezo.reporting.html.page import render
from fedmezo.reporting.html.reading import read_runs
from fedmezo.reporting.html.run import Run

Copy = Callable[[], Path]
FILES = ("config.yaml", "metrics.jsonl", "evaluations.jsonl", "ledger.bin", "summary.json", "partition.json",
         "environment.json")  # fmt: skip
ODD = (
    b"", b"\x00\xff\xfe" * 9, b"[]\n", b"{}\n", b"null\n", b'{"clients": 3, "packages": 3, "rounds": "x"}\n',
    b'{"clients": [3], "round": 0}\n',
    b'{"rounds_done": [], "split": {}, "indices": 1, "sums": 2, "tokens": 3, "correct": 4}\n',
    b"[" * 9999,
)  # fmt: skip


def read(folder: Path) -> Run:
    return read_runs([RunFolder(folder)])[0]


def test_what_is_read_is_what_the_run_said_at_its_end(runs: list[Run]) -> None:
    for run in runs:
        summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
        assert run.outcome == summary["outcome"] == "completed" and not run.notes
        assert run.done == summary["rounds"] == 4
        assert run.best is not None and run.best.rounds_done == summary["best"]["rounds_done"]
        for split, said in summary["losses"].items():
            change = run.change(split)
            assert change is not None and change.examples == said["examples"]
            assert (change.change, change.standard_error) == (said["change"], said["standard_error"])
            losses = list(run.losses(split).values())
            assert (losses[0], losses[-1]) == (said["before"], said["after"])
        own = cost(run)
        assert (own.up, own.down) == (summary["bytes_up"], summary["bytes_down"])
        assert (own.seconds, own.peak_memory_mib) == (summary["seconds"], summary["peak_memory_mib"])
        assert (own.nonfinite, own.rejected) == (summary["nonfinite"], summary["rejected"]) == (0, 0)


def test_scalars_and_weights_are_told_apart_and_counted(runs: list[Run]) -> None:
    mezo, backprop = runs
    assert (mezo.transport, backprop.transport) == ("scalars", "weights")
    assert (mezo.backprop, backprop.backprop) == (False, True)
    size = Ledger(mezo.folder / "ledger.bin").header
    assert size is not None and mezo.weight_bytes == 4 * size.size
    assert cost(backprop).each_up == pytest.approx(4 * size.size, rel=0.01)


def test_half_precision_parameters_have_two_bytes(runs: list[Run]) -> None:
    settings = dict(runs[0].settings)
    own = runs[0].weight_bytes
    assert own is not None
    for adapter, half, share in ((True, True, 1), (False, False, 1), (False, True, 2)):
        changed = settings | {"llm.adapter.use": adapter, "train.is_enable_half": half}
        assert replace(runs[0], settings=changed).weight_bytes == own // share


def test_the_histogram_counts_every_projected_gradient_once(runs: list[Run]) -> None:
    recorded = [client.gradients for record in runs[0].records for client in record.clients]
    values = np.concatenate([part.reshape(-1) for part in recorded if part is not None])
    assert np.array_equal(gradients(runs[0]), values.astype(np.float64)) and len(values) == 4 * 3 * 2
    (figure,) = gradient_figures(runs)  # of one run only: the other sent weights
    (series,) = figure.series
    assert sum(count or 0 for count in series.y) == len(values)
    assert series.y[0] == series.y[-1] == 0  # the outermost
    for value in values:
        nearest = min(range(1, len(series.x) - 1), key=lambda i: abs(float(series.x[i]) - value))
        assert series.y[nearest]


def test_gradients_of_losses_that_were_not_finite_are_left_out(runs: list[Run]) -> None:
    (record, *_), rest = runs[0].records, runs[0].records[1:]
    first = record.clients[0]
    assert first.gradients is not None
    failed = np.zeros(first.gradients.shape, dtype=bool)
    failed[0, 0] = True
    changed = replace(record, clients=(replace(first, failed=failed), *record.clients[1:]))
    assert len(gradients(replace(runs[0], records=[changed, *rest]))) == len(gradients(runs[0])) - 1


def test_runs_are_compared_on_the_same_examples_only(runs: list[Run]) -> None:
    mezo, backprop = runs
    found = backprop.against(mezo, "test")
    assert found is not None
    assert found.before == mezo.losses("test")[4] and found.after == backprop.losses("test")[4]
    assert mezo.header is not None
    other = replace(mezo.header, hashes={**mezo.header.hashes, "data": bytes(16)})
    assert backprop.against(replace(mezo, header=other), "test") is None
    last = mezo.examples[4, "test"]
    fewer = {**mezo.examples, (4, "test"): last.of(last.indices[1:])}
    assert backprop.against(replace(mezo, examples=fewer), "test") is None


def test_a_run_that_did_not_end_says_so(copied: Copy) -> None:
    folder = copied()
    (folder / "summary.json").unlink()
    assert read(folder).outcome == "unfinished: 4 of 4 rounds done"
    folder = copied()
    said = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    (folder / "summary.json").write_text(json.dumps(said | {"outcome": "interrupted"}), encoding="utf-8")
    assert read(folder).outcome == "interrupted after 4 of 4 rounds"
    (folder / "summary.json").write_text(json.dumps(said | {"rounds": 3}), encoding="utf-8")  # of before it went on
    assert read(folder).outcome == "unfinished: 4 of 4 rounds done"


def test_a_run_at_work_is_read_as_far_as_it_is(copied: Copy) -> None:
    folder = copied()
    with RunFolder(folder).locked():
        run = read(folder)
    assert run.outcome == "running: 4 of 4 rounds done" and len(run.rounds) == 4


def test_what_is_left_of_a_ledger_counts(copied: Copy) -> None:
    folder = copied()
    path = folder / "ledger.bin"
    ends = [link.end for link in Ledger(path)._links if isinstance(link.record, RoundRecord)]
    path.write_bytes(path.read_bytes()[: ends[2] - 1])
    run = read(folder)
    assert len(run.records) == 2 and len(run.rounds) == run.done == 4
    assert any("damaged from byte" in note for note in run.notes)
    assert run.losses("test")[4] == run.rounds[3].losses["test"]  # the metrics still have it


def test_rounds_that_the_metrics_lack_are_told(copied: Copy) -> None:
    folder = copied()
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:2]) + lines[2][:40] + "\n", encoding="utf-8")
    run = read(folder)
    assert [row.done for row in run.rounds] == [1, 2] and run.done == 4
    assert any("holds 2 of 4 rounds" in note for note in run.notes)


def test_losses_of_examples_that_are_not_those_recorded_are_not_compared(copied: Copy) -> None:
    folder = copied()
    path = folder / "evaluations.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["split"] == "test":
            row["sums"][0] += 1
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run = read(folder)
    assert run.change("test") is None and run.change("val") is not None


def test_losses_of_examples_that_are_missing_are_told(copied: Copy) -> None:
    folder = copied()
    path = folder / "evaluations.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 6  # two splits, before training and twice after
    path.write_text("".join(lines)[:-20], encoding="utf-8")
    (note,) = read(folder).notes
    assert note == "evaluations.jsonl holds 5 of 6 evaluated splits; the others have no paired changes"
    assert note in render([read(folder)])
    path.unlink()
    assert read(folder).notes == ["evaluations.jsonl is missing: no paired changes, and no standard errors"]


@pytest.mark.parametrize("name", FILES)
def test_whatever_a_file_holds_there_is_a_report(copied: Copy, name: str) -> None:
    """Missing, empty, cut off, other content: the page is whole, and what is wrong is told."""
    folder = copied()
    path = folder / name
    whole = path.read_bytes()
    for content in (
        *ODD,
        whole[: len(whole) // 2],
        whole[:-1],
        whole[: len(whole) // 3] + b"\x00" + whole[len(whole) // 3 + 1 :],
    ):
        path.write_bytes(content)
        page = render([read(folder)])
        assert page.rstrip().endswith("</html>"), content[:40]
    path.write_bytes(b"\x00\xff\xfe" * 9)
    run = read(folder)
    assert run.notes or run.outcome != "completed"
    if name != "config.yaml":
        path.unlink()
        run = read(folder)
        assert render([run]).rstrip().endswith("</html>")
        assert run.notes or run.outcome != "completed"


def test_a_folder_with_a_configuration_only_has_a_report(copied: Copy) -> None:
    folder = copied()
    for path in folder.iterdir():
        if path.is_file() and path.name != "config.yaml":
            path.unlink()
    run = read(folder)
    assert run.outcome == "unfinished: 0 of 4 rounds done" and len(run.notes) == 3
    page = render([run])
    assert "No round is recorded yet." in page
