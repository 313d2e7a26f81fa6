"""A metric of the user's own, in one file: wherever the loss is, it is too; a run that goes on gives the same bytes."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from fedmezo.replay import main as replay
from fedmezo.report import main as report
from tests.conftest import forget_users_code, write_tiny

FAR = """
from fedmezo.evaluation.metrics import Metric, register


@register("far_loss")
class FarLoss(Metric):
    higher_is_better = False
    unit = "nats above the mean logit"

    def values(self, logits, labels, losses):
        return losses * 2

    def counts(self, labels):
        return (labels % 2).long()
"""
TIMES = ("seconds", "peak_memory_mib")
METRICS = ("eval.metrics", "[far_loss, accuracy, perplexity]")
BEST = ("eval.best_res_update_round_wise_key", "val_far_loss", "train.optimizer.lr", "40", "eval.freq", "1")


class Runs:
    """A run of four rounds with the metric, and the same one stopped after two and resumed."""

    def __init__(self, folder: Path) -> None:
        (folder / "far.py").write_text(FAR, encoding="utf-8")
        self.path, self.folder = write_tiny(folder, extensions=["far.py"]), folder / "runs"
        self.whole = self.run("whole", "federate.total_round_num", "4")
        self.halves = self.run("halves", "federate.total_round_num", "2")
        assert main(["--resume", str(self.halves), "-q", "federate.total_round_num", "4"]) == 0

    def run(self, name: str, *overrides: str) -> Path:
        assert main(["--cfg", str(self.path), "-q", "expname", name, *METRICS, *BEST, *overrides]) == 0
        return self.folder / name


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield Runs(tmp_path_factory.mktemp("metric"))
    forget_users_code()


def rows(run: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / name).read_text(encoding="utf-8").splitlines()]


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(own) for name, own in value.items() if name not in TIMES}
    return [timeless(own) for own in value] if isinstance(value, list) else value


def summary(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return found


def test_the_ledger_holds_it_by_name(runs: Runs) -> None:
    for record in Ledger(runs.whole / "ledger.bin").evaluations():
        for split in record.splits.values():
            assert list(split) == ["loss", "accuracy", "exact_match", "far_loss", "perplexity"]
            assert not split["far_loss"].higher_is_better and split["far_loss"].clients
            assert split["perplexity"].value == math.exp(split["loss"].value)


def test_it_is_the_sum_of_values_by_the_sum_of_counts(runs: Runs) -> None:
    recorded = {row.rounds_done: row for row in Ledger(runs.whole / "ledger.bin").evaluations()}
    for row in rows(runs.whole, "evaluations.jsonl"):
        own = row["metrics"]["far_loss"]
        assert list(row["metrics"]) == ["far_loss"]  # perplexity follows from the loss
        assert own["sums"] == pytest.approx([2 * loss for loss in row["sums"]], rel=1e-6)
        assert 0 < sum(own["counts"]) < sum(row["tokens"])
        assert recorded[row["rounds_done"]].value(row["split"], "far_loss") == sum(own["sums"]) / sum(own["counts"])


def test_metrics_have_it_by_client_and_category(runs: Runs) -> None:
    last = rows(runs.whole)[-1]
    assert {"0", "1", "2"} == last["val_client_far_loss"].keys() and "val_category_far_loss" in last
    assert last["test_perplexity"] == math.exp(last["test_loss"]) and last["val_far_loss"] > 0


def test_it_picks_the_best_model(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    values = [record.value("val", "far_loss") for record in Ledger(runs.whole / "ledger.bin").evaluations()]
    assert summary(runs.whole)["best"]["rounds_done"] == values.index(min(values)) < 4
    assert replay([str(runs.whole), "--round", "best", "--verify"]) == 0


def test_the_summary_has_its_paired_change(runs: Runs) -> None:
    found = summary(runs.whole)
    change = found["metrics"]["far_loss"]["val"]
    assert (change["metric"], change["examples"]) == ("far_loss", 6) and change["standard_error"] > 0
    assert found["groups"]["client_far_loss"]["val"].keys() == {"0", "1", "2"}
    assert list(found["metrics"]) == ["far_loss", "accuracy", "perplexity"]


def test_it_is_told_while_the_run_goes_and_in_the_final_table(runs: Runs) -> None:
    log = " ".join((runs.whole / "run.log").read_text(encoding="utf-8").split())
    found = summary(runs.whole)
    loss, far = found["losses"]["val"], found["metrics"]["far_loss"]["val"]
    assert f"before training: val loss {loss['before']:.4f}, val far loss {far['before']:.4f}, val accuracy" in log
    assert f" val far loss {far['before']:.4f} -> {far['after']:.4f} (" in log
    assert " val far loss by client 0 " in log


def test_the_report_shows_it(runs: Runs, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert report([str(runs.whole), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    for name in ("val-far-loss", "test-perplexity", "test-client-far-loss-0", "test-accuracy"):
        assert f'id="figure-{name}"' in text, name
    assert "test far loss before" in text and 'id="figure-test-exact-match"' not in text
    assert "metrics.jsonl holds" not in text  # every line was read, whatever the metric's name ends in


def test_a_run_that_goes_on_gives_the_same_bytes(runs: Runs) -> None:
    for name in ("evaluations.jsonl", "adapter/adapter_model.safetensors", "adapter_best/adapter_model.safetensors"):
        assert (runs.whole / name).read_bytes() == (runs.halves / name).read_bytes(), name
    assert timeless(rows(runs.whole)) == timeless(rows(runs.halves))
    assert timeless(summary(runs.whole)) == timeless(summary(runs.halves))


def test_other_metrics_are_as_without_it(runs: Runs) -> None:
    plain = runs.run("plain", "eval.metrics", "[loss]", BEST[0], "val_loss", "federate.total_round_num", "4")
    for with_it, without in zip(rows(runs.whole), rows(plain), strict=True):
        assert timeless({name: with_it[name] for name in without}) == timeless(without)
