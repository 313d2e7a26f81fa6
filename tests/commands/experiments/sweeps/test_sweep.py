"""Sweeps as data, and what the samplers draw."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmezo.commands.experiments.sweeps.search import propose
from fedmezo.commands.experiments.sweeps.sweep import Dimension, Ended, Range, Sweep, load
from fedmezo.core.errors import ConfigurationError
from tests.conftest import REPOSITORY

SWEEPS = sorted((REPOSITORY / "configs" / "sweeps").glob("*.yaml"))
RATE, MU = "train.optimizer.lr", "zo.mu"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a sweep with some of its keys changed."""
    (tmp_path / "base.yaml").write_text("model: {type: tiny-llama@random_llm}\n")

    def written(**changes: Any) -> Path:
        tree: dict[str, Any] = {"cfg": "base.yaml", "space": {RATE: [0.1, 0.2], MU: [0.001]}} | changes
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in tree.items() if value != "gone"}))
        return path

    return written


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_shipped_sweeps_stand(path: Path) -> None:
    sweep = load(path)
    assert sweep.size > 1 and sweep.title


def test_a_key_that_is_given_twice_is_told(write: Callable[..., Path]) -> None:
    path = write()
    path.write_text(f"cfg: base.yaml\nspace:\n  {RATE}: [0.1]\n  {MU}: [0.1]\n  {RATE}: [0.2]\n")
    with pytest.raises(ConfigurationError, match=f"sweep.yaml:5\n.*{RATE} is given twice; the first is at line 3"):
        load(path)


def test_a_grid_is_the_product_of_its_lists(write: Callable[..., Path]) -> None:
    sweep = load(write(space={RATE: [0.1, 0.2], MU: [0.001, 0.01]}))
    assert sweep.grid == [{RATE: rate, MU: mu} for rate in (0.1, 0.2) for mu in (0.001, 0.01)] and sweep.size == 4


def test_numbers_may_be_written_as_people_write_them(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write()
    path.write_text(
        f"cfg: base.yaml\nsampler: random\ntrials: 3\nspace: {{{RATE}: {{low: 1e-3, high: 1E-1, log: true}}}}\n"
    )
    assert load(path).space == {RATE: Range(0.001, 0.1, log=True)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spac": {}}, "spac\n      there is no such key; the nearest is space"),
        ({"cfg": "gone"}, "cfg\n      is missing"),
        ({"sampler": "randm", "trials": 2}, "sampler = randm\n      expected grid, random, tpe; the nearest is random"),
        ({"sampler": "tpe"}, "trials\n      is missing: how many"),
        ({"sampler": "random", "trials": 0}, "trials = 0\n      expected a whole number of at least 1"),
        ({"goal": "least"}, "goal = least"),
        ({"metric": "tst_loss"}, "metric = tst_loss\n      runs have train_loss, "),
        ({"metric": "test_accuracy"}, "(eval.split, eval.metrics)"),
        ({"seed": -1}, "seed = -1"),
        ({"set": [1]}, "set = [1]"),
        ({"space": {}}, "space = {}"),
        ({"space": {RATE: {"low": 1, "high": 2}}}, "a grid needs a list"),
        ({"sampler": "tpe", "trials": 1, "space": {RATE: {"low": 2, "high": 1}}}, "low to be smaller than high"),
        ({"sampler": "tpe", "trials": 1, "space": {RATE: {"low": 0, "high": 1, "log": True}}}, "above 0 with log"),
        ({"sampler": "tpe", "trials": 1, "space": {RATE: {"low": "a", "high": 1}}}, "expected numbers"),
        ({"space": {RATE: 0.1}}, "expected a list of values"),
        ({"space": {"train.optimiser.lr": [0.1]}}, "train.optimizer.lr"),
        ({"space": {RATE: [0.1, "fast"]}}, "fast"),
        ({"set": {"zo.muu": 1}}, "zo.mu"),
        ({"cfg": "bse.yaml"}, "no such file; the nearest is base.yaml"),
    ],
)
def test_mistakes_are_told(write: Callable[..., Path], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write(**changes))
    assert told in str(caught.value)


def test_all_mistakes_are_told_at_once(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match="3 mistakes"):
        load(write(goal="least", seed=-1, spac=1))


@pytest.mark.parametrize("text", ["cfg: [", "\x00", "- 1\n", ""])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"sweep\.yaml"):
        load(tmp_path / "sweep.yaml")


def test_a_missing_optuna_is_told(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(sampler="random", trials=1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install -e \.\[sweep\]"):
        load(path)


def searched(sampler: str, goal: str = "min") -> Sweep:
    space: dict[str, Dimension] = {
        RATE: Range(1e-4, 1.0, log=True),
        "train.local_update_steps": Range(1, 5),
        MU: ("a", "b"),
    }
    return Sweep("s", Path("x.yaml"), {}, space, sampler=sampler, trials=60, goal=goal)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_is_drawn_lies_in_the_space_and_depends_on_the_number_only(sampler: str) -> None:
    sweep = searched(sampler)
    drawn = [propose(sweep, number, [], []) for number in range(60)]
    assert drawn == [propose(sweep, number, [], []) for number in range(60)]
    rates = [each[RATE] for each in drawn]
    assert len(set(rates)) == 60 and all(1e-4 <= rate <= 1.0 for rate in rates)
    below = sum(rate < 1e-2 for rate in rates)  # half of them, by the logarithm: 30 with a deviation of 3.9
    assert 15 <= below <= 45
    assert {each["train.local_update_steps"] for each in drawn} == {1, 2, 3, 4, 5}
    assert {each[MU] for each in drawn} == {"a", "b"}


@pytest.mark.parametrize("goal", ["min", "max"])
def test_tpe_learns_which_values_are_good(goal: str) -> None:
    """The score is the distance of the rate's logarithm from -3: small near 1e-3; large far from it."""
    sweep = searched("tpe", goal)
    ended: list[Ended] = []
    for number in range(60):
        values = propose(sweep, number, ended, [])
        ended.append(Ended(values, None if number == 5 else abs(math.log10(values[RATE]) + 3.0)))
    late = [abs(math.log10(each.values[RATE]) + 3.0) for each in ended[30:]]
    mean = sum(late) / len(late)
    assert mean < 0.7 if goal == "min" else mean > 2.0  # drawn at random: 1.25


def test_trials_under_way_count() -> None:
    sweep = searched("tpe")
    ended = [Ended(propose(sweep, number, [], []), float(number)) for number in range(12)]
    alone = propose(sweep, 13, ended, [])
    assert propose(sweep, 13, ended, []) == alone
    assert propose(sweep, 13, ended, [alone] * 12) != alone  # which by then is taken for bad


def test_overrides_of_all_trials_are_checked_before(write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match=r"zo\.mu"):
        load(write(), ["zo.muu", "1"])
