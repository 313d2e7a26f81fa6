"""The suites as data: every arm at every scale is a configuration that stands; and their arithmetic."""

import json
import math
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yacs.config import CfgNode

from fedmezo import config
from fedmezo.commands.experiments.suites.interval import Interval, interval
from fedmezo.commands.experiments.suites.jobs import Job, jobs
from fedmezo.commands.experiments.suites.program import SCALES
from fedmezo.commands.experiments.suites.rates import MOST, SEED, best, outwards, screening
from fedmezo.commands.experiments.suites.results import COSTS, MEASURES, UNITS
from fedmezo.commands.experiments.suites.suite import PAPER, load
from fedmezo.commands.experiments.suites.tables import latex, markdown, measured, shown
from fedmezo.core.errors import ConfigurationError
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "configs" / "paper"
SUITES = sorted(FOLDER.glob("*.yaml"))
ITEMS = {
    *("figure 1", "figure 2", "figure 3", "figure 4", "figure 5", "figure 6", "figure 7", "figure 8", "figure 9"),
    *("figure 10", "table 1", "table 4", "table 5", "table 6", "table 7", "table 8", "appendix"),
}
Write = Callable[..., Path]
PEERS = {"decomfl", "fedkseed", "mezo"}
OURS = [path for path in SUITES if path.stem not in PEERS]


def test_every_table_and_figure_of_the_paper_has_a_suite() -> None:
    found = {path.stem: load(path, "smoke") for path in SUITES}
    assert {item for name, suite in found.items() if suite.work == PAPER for item in suite.items} == ITEMS | {"our own"}
    assert {name for name, suite in found.items() if suite.work != PAPER} == PEERS


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_every_arm_is_a_configuration_that_stands(path: Path, scale: str, tmp_path: Path) -> None:
    suite = load(path, scale)
    found = jobs(suite, tmp_path)
    assert len({job.folder for job in found}) == len(found) == suite.runs
    for job in found:
        cfg = config.load(job.arm.cfg, job.beginning())
        assert cfg.seed == job.seed and Path(cfg.outdir) / cfg.expname == job.folder
        if scale == "cpu":
            own = suite.name == "tuned_backprop" or job.arm.rates or cfg.train.optimizer.lr == "auto"
            assert own or cfg.train.lr_half_width == pytest.approx(cfg.train.optimizer.lr / 2)
    for job in chain(*screening(suite, tmp_path).values()):
        cfg = config.load(job.arm.cfg, job.beginning())
        assert cfg.seed == SEED not in {each.seed for each in found} and cfg.eval.split == ("val",)
        assert cfg.train.optimizer.lr == job.arm.rate
    tasks = suite.evaluation.tasks if suite.evaluation else ()
    asked = [column for column in suite.columns if column.partition(":")[0] in tasks]
    assert set(suite.columns) - set(asked) <= MEASURES.keys() and UNITS.keys() == MEASURES.keys()
    assert all(x == "rounds" or x in COSTS or x in suite.axes for x in suite.x)
    if suite.baseline and scale == "paper":
        assert all({**arm.labels, **suite.baseline} in [dict(each.labels) for each in suite.arms] for arm in suite.arms)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_the_papers_scale_has_the_published_settings(path: Path, tmp_path: Path) -> None:
    for job in jobs(load(path, "paper"), tmp_path):
        cfg = config.load(job.arm.cfg, job.beginning())
        if job.arm.labels.get("method") == "quickstart":  # ours is no LoRA
            continue
        assert cfg.llm.adapter.args[0]["r"] == 128 and cfg.train.is_enable_half and "open_llama" in cfg.model.type


def peers(name: str, tmp_path: Path) -> dict[str, CfgNode]:
    """Return the configuration of each arm of a suite at scale paper."""
    return {
        job.arm.name: config.load(job.arm.cfg, job.beginning())
        for job in jobs(load(FOLDER / name, "paper", 1), tmp_path)
    }


def test_decomfl_is_run_as_its_authors_give_it(tmp_path: Path) -> None:
    """Their command: ZidongLiu/DeComFL, README.md."""
    found = peers("decomfl.yaml", tmp_path)
    assert len(found) == 6 * 4
    cfg = found["SST-2_DeComFL-P-5"]
    federation = (cfg.federate.client_num, cfg.federate.sample_client_num, cfg.federate.total_round_num)
    assert federation == (3, 2, 1000) and cfg.train.local_update_steps == 1 and cfg.dataloader.batch_size == 32
    assert (cfg.zo.queries, cfg.zo.estimator, cfg.zo.mu, cfg.train.optimizer.lr) == (5, "one-sided", 1e-3, 1e-5)
    assert cfg.model.type == "facebook/opt-125m@huggingface_llm" and not cfg.llm.adapter.use
    assert cfg.zo.directions == "shared" and found["SST-2_FedZO-P-5"].federate.transport == "weights"
    dirichlet = found["CB_P-5-6-clients-Dirichlet-1"]
    assert dirichlet.federate.client_num == 6 and dirichlet.data.split_by == "label"
    assert dirichlet.data.splitter_args == ({"alpha": 1.0},)


def test_mezo_is_run_as_its_authors_give_it(tmp_path: Path) -> None:
    """Their script: princeton-nlp/MeZO, large_models/mezo.sh and README.md."""
    found = peers("mezo.yaml", tmp_path)
    assert len(found) == 11 * 3
    for cfg in found.values():
        assert cfg.federate.total_round_num * cfg.train.local_update_steps == 20_000 and cfg.dataloader.batch_size == 16
        assert cfg.data.client_examples == 1000 and cfg.federate.client_num == 1 and "opt-13b" in cfg.model.type
    rates = {name: (cfg.train.optimizer.lr, cfg.zo.mu) for name, cfg in found.items() if name.startswith("SST-2")}
    assert rates == {"SST-2_MeZO": (1e-7, 1e-3), "SST-2_MeZO-LoRA": (5e-5, 1e-2), "SST-2_MeZO-prefix": (1e-3, 0.1)}


def test_fedkseed_is_run_as_its_authors_give_it(tmp_path: Path) -> None:
    """Their command: zhenqincn/FedKSeed, README.md and main.py."""
    cfg = peers("fedkseed.yaml", tmp_path)["a-direction-a-step"]
    assert (cfg.federate.client_num, cfg.federate.sample_client_num, cfg.federate.total_round_num) == (200, 10, 60)
    assert (cfg.train.local_update_steps, cfg.dataloader.batch_size, cfg.llm.tok_len) == (200, 1, 1024)
    assert (cfg.train.optimizer.lr, cfg.zo.mu, cfg.data.splitter_args) == (3e-7, 5e-4, ({"alpha": 0.5},))


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
    assert suite.runs == 4 and load(tmp_path / "suite.yaml", "smoke", 5).runs == 10


def test_an_arm_may_have_seeds_of_its_own(tmp_path: Path) -> None:
    suite = load(write_suite(tmp_path, axes={"a": {1: {"seeds": 1}, 2: None}}), "smoke")
    assert [job.folder.name for job in jobs(suite, tmp_path)] == ["1_seed1", "2_seed1", "2_seed2"] and suite.runs == 3
    assert "seeds" not in suite.own_keys and all("seeds" not in arm.overrides for arm in suite.arms)


def test_an_arm_may_be_of_some_labels_only(tmp_path: Path) -> None:
    suite = load(
        write_suite(tmp_path, axes={"a": {1: None, 2: None}, "b": {"p": {"only": {"a": [2]}}, "q": {}}}), "smoke"
    )
    assert [arm.name for arm in suite.arms] == ["1_q", "2_p", "2_q"] and "only" not in suite.own_keys


def test_budget_and_rates_are_an_arms_own_and_no_keys(tmp_path: Path) -> None:
    axes = {"a": {1: {"rates": [0.1, 0.2]}, 2: {"budget": 7}}}
    scales = {"smoke": {"cfg": "base.yaml", "budget": 5}}
    suite = load(write_suite(tmp_path, axes=axes, scales=scales), "smoke")
    assert [(arm.budget, arm.rates) for arm in suite.arms] == [(5, (0.1, 0.2)), (7, ())]
    assert suite.own_keys == {"train.optimizer.lr"} and not any(arm.overrides for arm in suite.arms)
    assert [job.folder.name for job in chain(*screening(suite, tmp_path).values())] == [
        "1_rate0.1_seed0",
        "1_rate0.2_seed0",
    ]


@given(st.floats(1e-6, 1e2), st.floats(1.5, 10.0), st.integers(2, 4), st.floats(-3, 3))
def test_rates_are_tried_outwards_until_the_best_lies_between_two(
    low: float, ratio: float, count: int, place: float
) -> None:
    """Of a loss with one minimum, at ``place`` steps beyond the grid's middle."""
    middle = math.log(low) + (count - 1) / 2 * math.log(ratio)

    def loss(rate: float) -> float:
        return (math.log(rate) - middle - place * math.log(ratio)) ** 2

    losses = {rate: loss(rate) for rate in (low * ratio**number for number in range(count))}
    while (rate := outwards(losses)) is not None:
        losses[rate] = loss(rate)
    assert min(losses) < best(losses) < max(losses) and len(losses) <= MOST


def test_rates_that_destroy_are_left_downwards() -> None:
    assert outwards({0.1: math.inf, 0.2: math.inf}) == 0.05 and best({0.1: math.inf, 0.05: 3.0}) == 0.05
    assert outwards({2.0**number: -number for number in range(MOST)}) is None  # enough


def test_what_is_published_stands_beside_its_arm(tmp_path: Path) -> None:
    published = {"source": "A", "beside": {"score": {1: {"p": "0.50"}}, "size": {"x y/z": {"p": "1 MB"}}}}
    suite = load(write_suite(tmp_path, published=published), "smoke")
    header, rows = measured(suite, [])
    assert header[-2:] == ["published score", "published size"]
    assert [row[-2:] for row in rows] == [["0.50", "-"], ["-", "1 MB"]]


def test_a_label_of_another_scale_may_be_published(tmp_path: Path) -> None:
    scales = {"smoke": {"cfg": "base.yaml"}, "paper": {"cfg": "base.yaml", "axes": {"a": {"large": None}}}}
    published = {"source": "A", "beside": {"score": {"large": {"p": 1}}}}
    suite = load(write_suite(tmp_path, scales=scales, published=published), "smoke")
    assert suite.published.beside == {"score": {("large", "p"): "1"}}
    assert [arm.name for arm in suite.original] == ["large_p"]


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
        ({"published": {"rows": []}}, "published.source\n      is missing"),
        ({"published": {"source": "A", "row": []}}, "published.row\n      there is no such key; the nearest is rows"),
        ({"published": ["A"]}, r"published = \['A'\]\n      expected a mapping with source, note"),
        (
            {"published": {"source": "A", "columns": ["x"], "rows": [[1], [1, 2]]}},
            r"published.rows, row 2 = \[1, 2\]\n      expected a list of 1, a cell for each",
        ),
        (
            {"published": {"source": "A", "beside": {"s": {"x y": {"p": 1}}}}},
            "published.beside.s.x y\n      the axis a has no such label; the nearest is x y/z",
        ),
        (
            {"published": {"source": "A", "beside": {"s": {1: 0.5}}}},
            "beside.s.1 = 0.5\n      expected a mapping by the labels",
        ),
        (
            {"published": {"source": "A", "beside": {"s": {1: {"p": [1]}}}}},
            r"beside.s.1.p = \[1\]\n      expected a number",
        ),
        ({"scales": {"smoke": {"cfg": "base.yaml", "seed": 3}}}, "scales.smoke.seed\n      there is no such key"),
        (
            {"scales": {"smoke": {"cfg": "base.yaml", "budget": 0}}},
            "scales.smoke.budget = 0\n      expected a number above 0",
        ),
        ({"axes": {"a": {"p": {"budget": "x"}}}}, "a.p.budget = x\n      expected a number above 0"),
        (
            {"axes": {"a": {"p": {"rates": [0.1]}}}},
            r"a.p.rates = \[0.1\]\n      expected a list of at least two numbers",
        ),
        ({"axes": {"a": {"p": {"rates": [0.2, 0.1]}}}}, "expected a list of at least two numbers above 0, ascending"),
        ({"axes": {"a": {"p": {"only": {"a": ["pp"]}}}}}, "a.p.only.a = pp\n      there is none; the nearest is p"),
        ({"axes": {"a": {"p": {"only": {"b": ["q"]}}}}}, "a.p.only.b\n      there is no such axis; there are a"),
        ({"axes": {"a": {"p": {"only": ["q"]}}}}, r"a.p.only = \['q'\]\n      expected a mapping of axes"),
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
    assert shown(interval([0.003] * 3)) == "0.003"  # their mean is another number


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
