"""The suites as data: every arm at every scale is a configuration that stands; and their arithmetic."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedmezo import config
from fedmezo.commands.experiments.suites.interval import Interval, interval
from fedmezo.commands.experiments.suites.jobs import Job, jobs
from fedmezo.commands.experiments.suites.program import SCALES
from fedmezo.commands.experiments.suites.results import MEASURES, UNITS
from fedmezo.commands.experiments.suites.suite import load
from fedmezo.commands.experiments.suites.tables import latex, markdown, shown
from fedmezo.core.errors import ConfigurationError
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "configs" / "paper"
SUITES = sorted(FOLDER.glob("*.yaml"))
ITEMS = {
    *("figure 1", "figure 2", "figure 3", "figure 4", "figure 5", "figure 6", "figure 7", "figure 8", "figure 9"),
    *("figure 10", "table 1", "table 4", "table 5", "table 6", "table 7", "table 8", "appendix"),
}
Write = Callable[..., Path]


def test_every_table_and_figure_of_the_paper_has_a_suite() -> None:
    found = {item for path in SUITES for item in load(path, "smoke").items}
    assert found == ITEMS | {"our own"}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_every_arm_is_a_configuration_that_stands(path: Path, scale: str, tmp_path: Path) -> None:
    suite = load(path, scale)
    found = jobs(suite, tmp_path)
    assert len({job.folder for job in found}) == len(found) == suite.seeds * len(suite.arms)
    for job in found:
        cfg = config.load(job.arm.cfg, job.beginning())
        assert cfg.seed == job.seed and Path(cfg.outdir) / cfg.expname == job.folder
        if scale == "cpu":
            assert (
                cfg.train.lr_half_width == pytest.approx(cfg.train.optimizer.lr / 2) or suite.name == "tuned_backprop"
            )
    tasks = suite.evaluation.tasks if suite.evaluation else ()
    asked = [column for column in suite.columns if column.partition(":")[0] in tasks]
    assert set(suite.columns) - set(asked) <= MEASURES.keys() and UNITS.keys() == MEASURES.keys()
    assert suite.x == "rounds" or suite.x in suite.axes
    if suite.baseline and scale == "paper":
        assert all({**arm.labels, **suite.baseline} in [dict(each.labels) for each in suite.arms] for arm in suite.arms)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_the_papers_scale_has_the_published_settings(path: Path, tmp_path: Path) -> None:
    for job in jobs(load(path, "paper"), tmp_path):
        cfg = config.load(job.arm.cfg, job.beginning())
        assert cfg.llm.adapter.args[0]["r"] == 128 and cfg.train.is_enable_half and "open_llama" in cfg.model.type


def evaluating(**asked: Any) -> dict[str, Any]:
    """Return the change of a suite that asks its runs something."""
    return {"scales": {"smoke": {"cfg": "base.yaml", "evaluate": asked}}}


def write_suite(folder: Path, **changes: Any) -> Path:
    (folder / "base.yaml").write_text("model: {type: tiny-llama@random_llm}\n")
    tree: dict[str, Any] = {
        "title": "T",
        "items": ["figure 1"],
        "y": "test_loss",
        "columns": ["drop"],
        "axes": {"a": {1: {"seed": 1}, "x y/z": None}, "b": {"p": {"zo.mu": 0.1}}},
        "scales": {"smoke": {"cfg": "base.yaml", "set": {"zo.mu": 0.2, "verbose": 0}, "seeds": 2}},
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in (tree | changes).items() if value is not None}))
    return path


def test_arms_are_the_product_of_the_axes_and_later_settings_win(tmp_path: Path) -> None:
    suite = load(write_suite(tmp_path), "smoke")
    assert [arm.name for arm in suite.arms] == ["1_p", "x-y-z_p"]
    assert [dict(arm.overrides) for arm in suite.arms] == [
        {"zo.mu": 0.1, "verbose": 0, "seed": 1},
        {"zo.mu": 0.1, "verbose": 0},
    ]
    assert load(tmp_path / "suite.yaml", "smoke", 5).seeds == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "titel\n      there is no such key; the nearest is title"),
        ({"y": None}, "y\n      is missing"),
        ({"scales": {"smok": {"cfg": "base.yaml"}}}, "there is no smoke"),
        (evaluating(tasks="gsm8k"), "scales.smoke.evaluate.tasks = gsm8k\n      expected a list of tasks"),
        (evaluating(tasks=["a"], rounds=["best"]), "evaluate.rounds = .*\n      expected a list of numbers of rounds"),
        (evaluating(tasks=["a"], limit=0), "evaluate.limit = 0\n      expected a whole number of at least 1"),
        (evaluating(tasks=["a"], run_code=1), "evaluate.run_code = 1\n      expected true or false"),
        (evaluating(task=["a"]), "evaluate.task\n      there is no such key; the nearest is tasks"),
        ({"baseline": {"a": 2}}, "baseline.a = 2\n      no arm of scale smoke has it; of a there are 1, x y/z"),
        ({"baseline": {"c": 1}}, "baseline.c = 1\n      no arm of scale smoke has it; of c there are none"),
        ({"scales": {"smoke": {"cfg": "base.yaml", "seed": 3}}}, "scales.smoke.seed\n      there is no such key"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(write_suite(tmp_path, **changes), "smoke")


def test_a_run_is_finished_when_its_summary_says_so(tmp_path: Path) -> None:
    job = Job(load(write_suite(tmp_path), "smoke").arms[0], 1, tmp_path / "run")
    assert not job.finished
    job.folder.mkdir()
    for outcome, done in (("interrupted", False), ("completed", True), ("stopped early", True), ("failed", False)):
        (job.folder / "summary.json").write_text(json.dumps({"outcome": outcome}))
        assert job.finished == done


def test_a_run_begins_as_its_arm_says_and_goes_on_as_it_began(tmp_path: Path) -> None:
    job = Job(load(write_suite(tmp_path), "smoke").arms[0], 1, tmp_path / "runs" / "one")
    new = job.prepared(["zo.queries", "3"])
    assert (new.cfg.zo.mu, new.cfg.zo.queries, new.cfg.expname) == (0.1, 3, "one")
    assert new.make_folder().path == job.folder
    begun = job.prepared(["zo.queries", "5"])
    assert begun.cfg == new.cfg and begun.make_folder().path == job.folder


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=14))
def test_an_interval_is_as_numpy_computes_it(values: list[float]) -> None:
    found = interval(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-6) and found.count == len(values)
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    assert 1.7 * error - 1e-9 <= found.half_width <= 6.4 * error + 1e-9


def test_intervals_cover_the_mean_nine_times_in_ten() -> None:
    draws = np.random.default_rng(0).normal(size=(4000, 3))
    inside = [abs(found.mean) <= found.half_width for found in map(interval, draws.tolist())]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.015)


def test_values_that_are_not_finite_do_not_count() -> None:
    found = interval([math.nan, 2.0, math.inf])
    assert (found.mean, found.count) == (2.0, 1) and math.isnan(found.half_width)
    assert interval([]).count == 0 and shown(interval([])) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(1.23456, 0.0123, 3), "1.235 ± 0.012"),
        (Interval(1234.56, 78.9, 3), "1,235 ± 79"),
        (Interval(-0.5, math.nan, 1), "-0.5"),
        (Interval(85200000.0, math.nan, 1), "85,200,000"),
        (Interval(3.0, 0.0, 2), "3"),
    ],
)
def test_means_have_the_digits_that_their_interval_allows(value: Interval, text: str) -> None:
    assert shown(value) == text


def test_tables_in_both_languages() -> None:
    table = (["a|b", "n"], [["x_y", "1 ± 2"]])
    assert markdown(table) == "| a/b | n |\n| --- | --- |\n| x_y | 1 ± 2 |\n"
    assert "x\\_y & 1 $\\pm$ 2 \\\\" in latex(table, "50 %", "t") and "\\caption{50 \\%}" in latex(table, "50 %", "t")
