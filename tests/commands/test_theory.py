"""``scripts/theory.py`` on whole runs of the tiny model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmezo.commands.subcommands.theory import main
from tests.test_main import Run, train

Write = Callable[..., Path]
SMALL = ("--batches", "3", "--estimates", "1", "--examples", "1", "--pairs", "2", "--steps", "3")
COMPARED = ("--moves", "2", "--held-out", "4", "--round", "0")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a finished run, which no test changes but for adding to it."""
    from fedmezo.main import main as run_main
    from tests.conftest import TINY

    folder = tmp_path_factory.mktemp("theory")
    path = folder / "tiny.yaml"
    path.write_text(json.dumps({"outdir": str(folder)} | TINY), encoding="utf-8")
    assert run_main(["--cfg", str(path), "expname", "run", "federate.save_freq", "1"]) == 0
    return Run(folder / "run")


def found(run: Run) -> dict[str, Any]:
    return dict(json.loads((run.folder / "theory.json").read_text(encoding="utf-8")))


def test_a_run_is_measured_at_its_rounds(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main([str(run.folder), "--round", "final", "0", "2", *SMALL]) == 0
    said = capsys.readouterr().out
    assert "before training" in said and "after 2 rounds" in said and "after 4 rounds" in said
    assert "; 1 estimate on each batch, of 1 query. Hessian: mean loss of 1 example, 2 pairs" in said
    assert "The run used rates" not in said  # but the chosen one
    assert "sufficient, not necessary" in said and "Least squares over 3 points" in said
    assert (run.folder / "theory.md").read_text(encoding="utf-8").strip() in said
    assert before == {path: path.read_bytes() for path in before}
    points = found(run)["points"]
    assert [point["rounds_done"] for point in points] == [0, 2, 4]
    assert found(run)["chosen"] == {
        "rate": 0.01,
        "used": [0.01, 0.01],
        "steps": 2,
        "clients": 3,
        "queries": 1,
        "dimension": 896,
        "scaled": False,
    }
    for point in points:
        spread, curvature = point["spread"], point["curvature"]
        assert spread["squared_norm"]["value"] > 0 and spread["squared_norm"]["samples"] == 3
        assert len(spread["client_distances"]) == 3
        assert curvature["smallest"]["value"] < curvature["largest"]["value"]
        assert 1 < curvature["rank"]["value"] < 100
        assert 0.1 < point["variance"]["ratio"]["value"] < 4 and point["variance"]["ratio"]["samples"] == 9
        assert point["condition"]["ratio"] > point["effective"]["ratio"] > 0
    assert points[0]["smoothness"] is None and points[1]["smoothness"]["value"] > 0


def test_the_same_run_gives_the_same_figures(run: Run) -> None:
    figures = []
    for _ in range(2):
        assert main([str(run.folder), "--round", "4", *SMALL]) == 0
        figures.append(found(run))
    assert figures[0]["points"] == figures[1]["points"] and figures[0]["constants"] is None


def test_a_run_without_blocks_is_compared_with_some(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """With both signs of one direction in each: 1 + 2 + 1 forwards, of which two whole directions are worth."""
    assert main([str(run.folder), *COMPARED, *SMALL, "--blocks", "2"]) == 0
    said = capsys.readouterr().out
    assert "Blocks, before training." in said and "| 1: 1 " in said and "at equal forwards: predicted" in said
    (point,) = found(run)["points"]
    compared, (below, above) = point["compared"], point["compared"]["blocks"]
    assert (below["first"], above["first"], below["parameters"], above["parameters"]) == (0, 1, 448, 448)
    total = below["squared_norm"]["value"] + above["squared_norm"]["value"]
    assert total == pytest.approx(point["spread"]["squared_norm"]["value"])
    trace = below["trace"]["value"] + above["trace"]["value"]
    assert trace == pytest.approx(point["curvature"]["trace"]["value"])
    assert [compared[kind]["forwards"] for kind in ("whole", "divided")] == [4, 4.0]
    gain = compared["divided"]["predicted"]["value"]
    per_forward = compared["divided"]["predicted_per_forward"]["value"]
    assert per_forward is gain is None or per_forward == pytest.approx(gain / 4.0)
    assert (below["forwards"], above["forwards"]) == (2.5, 1.5)


def test_a_run_in_blocks_is_compared_with_whole_directions(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    zo = {"mu": 0.005, "blocks": 2, "queries": 3, "estimator": "one-sided", "use_blocks": [0, 1]}
    run = train(tiny_yaml(zo=zo), "run", "federate.total_round_num", "1")
    assert main([str(run.folder), *COMPARED, *SMALL]) == 0
    (point,) = found(run)["points"]
    assert point["compared"]["divided"]["directions"] == 3
    assert point["compared"]["divided"]["forwards"] == pytest.approx(1 + 3 * 0.75)
    assert (point["compared"]["whole"]["directions"], point["compared"]["whole"]["forwards"]) == (2, 3)
    assert 0.1 < point["variance"]["ratio"]["value"] < 4
    capsys.readouterr()
    assert main([str(run.folder), *SMALL, "--blocks", "2"]) == 2
    assert "--blocks 2\n    the run has zo.blocks = 2: leave it out" in capsys.readouterr().err


def test_a_run_by_backpropagation_has_no_estimates(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "run", "trainer.type", "llmtrainer", "federate.total_round_num", "1")
    capsys.readouterr()
    assert main([str(run.folder), *SMALL]) == 0
    table, _, said = capsys.readouterr().out.partition("Gradients:")
    assert "estimate" not in table and "nothing to compare the chosen rate with" in said
    assert [point["variance"] or point["condition"] for point in found(run)["points"]] == [None, None]


def test_all_parameters_in_half_precision(tiny_yaml: Write) -> None:
    """Gradients and Hessian are of the same point in fp32; estimates are the run's own."""
    all_of_it = ("llm.adapter.use", "False", "train.is_enable_half", "True", "federate.total_round_num", "1")
    run = train(tiny_yaml(), "run", *all_of_it)
    assert main([str(run.folder), "--round", "1", *SMALL]) == 0
    (point,) = found(run)["points"]
    assert 0.1 < point["variance"]["ratio"]["value"] < 4


def test_scaled_directions_are_measured_in_their_coordinates(tiny_yaml: Write) -> None:
    scales = "[{name: lora_A, scale: 0.1}, {name: lora_B, scale: 2.0}]"
    run = train(tiny_yaml(), "run", "zo.scales", scales, "federate.total_round_num", "1")
    assert main([str(run.folder), "--round", "0", *SMALL]) == 0
    assert 0.1 < found(run)["points"][0]["variance"]["ratio"]["value"] < 4


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--round", "9"), 2, "expected 0 to 4, best or final; the nearest is 4"),
        (("--batches", "2"), 2, "--batches 2\n    expected 3 at least"),
        (("--batches", "40"), 2, "examples to train on; expected at most 16"),
        (("--pairs", "1"), 2, "expected 2 at least"),
        (("--blocks", "1"), 2, "--blocks 1\n    expected 2 at least"),
        (("--blocks", "40"), 2, "--blocks 40\n    only 2 layers of the model hold trainable parameters"),
    ],
)
def test_mistakes_are_told(
    run: Run, words: tuple[str, ...], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run.folder), *words]) == code
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert "there is no run in this folder" in capsys.readouterr().err


def test_a_criterion_without_a_gradient_is_told(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "run", "criterion.type", "accuracy", "federate.total_round_num", "1")
    assert main([str(run.folder), *SMALL]) == 2
    assert "criterion.type\n    it has no gradient" in capsys.readouterr().err
    assert not (run.folder / "theory.json").exists()


def test_a_run_that_has_lost_its_ledger_is_told(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    (tmp_path / "copy" / "ledger.bin").unlink()
    assert main([str(tmp_path / "copy"), *SMALL]) == 3
    assert "no round of this run is finished yet" in capsys.readouterr().err


def test_a_run_that_has_diverged_is_told(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """It went on as so many losses were allowed not to be finite."""
    words = ("train.optimizer.lr", "1e30", "llm.max_nonfinite", "1000", "federate.total_round_num", "2")
    run = train(tiny_yaml(), "run", *words)
    capsys.readouterr()
    assert main([str(run.folder), *SMALL]) == 4
    error = capsys.readouterr().err
    assert "--round 2\n    " in error and "is not finite: the run has diverged" in error and "earlier round" in error
    assert "Traceback" not in error and not (run.folder / "theory.json").exists()


def test_the_rates_that_a_strategy_made_are_compared(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {"train_strategy": "model-diff", "lr_half_width": 0.004, "optimizer": {"lr": 0.01}, "local_update_steps": 2}
    run = train(tiny_yaml(train=rates), "run", "federate.total_round_num", "2")
    capsys.readouterr()
    assert main([str(run.folder), "--round", "0", *SMALL]) == 0
    low, high = found(run)["chosen"]["used"]
    assert 0.006 <= low < 0.01 < high <= 0.014
    bound = found(run)["points"][0]["condition"]["bound"]
    line = f"rates from {low:.2g} to {high:.2g}: {low / bound:,.3g} to {high / bound:,.3g} times it"
    assert line in capsys.readouterr().out
