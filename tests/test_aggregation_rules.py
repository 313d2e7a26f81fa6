"""A rule with a state in whole runs: going on, replaying and the transport change nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from fedmezo.main import main
from fedmezo.replay import main as replay
from tests.conftest import write_tiny

RULE = ("federate.method", "server_momentum", "federate.method_args", "{beta: 0.5}")
SAVED = "adapter/adapter_model.safetensors"


@pytest.fixture(scope="module", params=["scalars", "weights"])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run of four rounds, the same one stopped after two and resumed, and one of FedAvg."""
    path = write_tiny(tmp_path_factory.mktemp("rules"), federate={"transport": request.param, "save_freq": 3})

    def run(name: str, *overrides: str) -> Path:
        assert main(["--cfg", str(path), "-q", "expname", name, *overrides]) == 0
        return path.parent / "runs" / name

    four = ("federate.total_round_num", "4")
    whole = run("whole", *RULE, *four)
    halves = run("halves", *RULE, "federate.total_round_num", "2")
    assert main(["--resume", str(halves), "-q", *four]) == 0
    return whole, halves, run("fedavg", *four)


def test_momentum_moves_the_model_further_than_fedavg(runs: tuple[Path, Path, Path]) -> None:
    whole, _, fedavg = ((path / SAVED).read_bytes() for path in runs)
    assert whole != fedavg


def test_a_run_that_goes_on_gives_the_same_bits(runs: tuple[Path, Path, Path]) -> None:
    whole, halves, _ = runs
    assert (whole / SAVED).read_bytes() == (halves / SAVED).read_bytes()


def test_the_state_is_in_the_snapshots(runs: tuple[Path, Path, Path]) -> None:
    last = [load_file(sorted((path / "snapshots").iterdir())[-1]) for path in runs]
    assert [sorted(tensors) for tensors in last] == [["parameters", "state.momentum"]] * 2 + [["parameters"]]
    assert last[0]["state.momentum"].equal(last[1]["state.momentum"]) and last[0]["state.momentum"].abs().max() > 0


def test_the_ledger_alone_rebuilds_the_model(runs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert replay([str(runs[1]), "--verify"]) == 0
    assert "adapter" in capsys.readouterr().out


def test_arguments_that_a_rule_refuses_are_told(
    tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml()
    for arguments, said in (("{beta: 2}", "beta = 2"), ("{betta: 0.5}", "'betta'")):
        assert main(["--cfg", str(path), "federate.method", "server_momentum", "federate.method_args", arguments]) == 2
        err = capsys.readouterr().err
        assert "federate.method_args = {" in err and said in err


def test_a_misspelt_rule_is_answered_with_the_nearest(
    tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cfg", str(tiny_yaml()), "federate.method", "trimed_mean", "federate.sampler", "unifrom"]) == 2
    err = capsys.readouterr().err
    assert "the nearest is trimmed_mean" in err and "the nearest is uniform" in err and "2 mistakes" in err


def test_half_precision_without_an_adapter_is_for_fedavg(
    tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(train={"is_enable_half": True}, llm={"adapter": {"use": False}})
    assert main(["--cfg", str(path), "federate.method", "trimmed_mean"]) == 2
    assert "averaged by fedavg alone" in capsys.readouterr().err


def test_other_samplers_take_part_in_runs(tiny_yaml: Callable[..., Path]) -> None:
    path = tiny_yaml(federate={"client_num": 3, "sample_client_num": 2, "total_round_num": 3, "sampler": "round_robin"})
    assert main(["--cfg", str(path), "-q", "expname", "turns"]) == 0
    rows = [json.loads(line) for line in (path.parent / "runs/turns/metrics.jsonl").read_text().splitlines()]
    drawn = [[client["client"] for client in row["clients"]] for row in rows if row.get("clients")]
    assert drawn == [[0, 1], [0, 2], [1, 2]]
