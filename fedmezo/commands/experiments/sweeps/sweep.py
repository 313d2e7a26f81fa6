"""A sweep as data, a YAML file.

title: what is looked for
cfg: ../word_problems.yaml                           # that all trials start from, relative to this file
set: {federate.total_round_num: 2, eval.freq: 2}     # for all trials
space:
  train.optimizer.lr: {low: 1.0e-3, high: 5.0e-2, log: true}
  zo.mu: [1.0e-3, 5.0e-3]
sampler: random          # grid (the default; lists only), random, or tpe, which learns from the trials before
trials: 12               # of random and tpe
metric: test_loss        # train_loss, or a split and a metric that are evaluated; the last value of a run
goal: min                # or max
seed: 0                  # of the sampler and, unless it is in the space, of the runs
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from fedmezo import config
from fedmezo.config.overrides import as_words
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import check_keys, read_document
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.installed import check_installed
from fedmezo.core.text import nearest

KEYS = ("title", "cfg", "set", "space", "sampler", "trials", "metric", "goal", "seed")
NEEDED = ("cfg", "space")
SAMPLERS = ("grid", "random", "tpe")
GOALS = ("min", "max")


@dataclass(frozen=True)
class Range:
    """Numbers between two.

    Args:
        low: the ends, both of them allowed; whole numbers if both are.
        high: likewise.
        log: drawn by their logarithm.
    """

    low: float
    high: float
    log: bool = False


Dimension = Range | Sequence[Any]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """A trial that has come to its end.

    Args:
        values: of the space's keys.
        score: its metric; None where the run failed.
    """

    values: Values
    score: float | None


@dataclass(frozen=True)
class Sweep:
    """A sweep: see the module's text for the fields."""

    name: str
    cfg: Path
    fixed: Values
    space: Mapping[str, Dimension]
    title: str = ""
    sampler: str = "grid"
    trials: int = 0
    metric: str = "test_loss"
    goal: str = "min"
    seed: int = 0

    @property
    def grid(self) -> list[dict[str, Any]]:
        """All combinations of a space of lists."""
        choices = [list(dimension) for dimension in self.space.values() if not isinstance(dimension, Range)]
        return [dict(zip(self.space, values, strict=True)) for values in itertools.product(*choices)]

    @property
    def size(self) -> int:
        """Number of trials."""
        return len(self.grid) if self.sampler == "grid" else self.trials


def load(path: Path, overrides: Sequence[str] = ()) -> Sweep:
    """Return the sweep of a YAML file.

    Args:
        path: of the file.
        overrides: of all trials.

    Raises:
        ConfigurationError: the file is no sweep, or a value of its space is none of its key's.
    """
    tree, problems = read_document(path), Problems()
    check_keys(path, tree, NEEDED, KEYS, problems)
    problems += [Problem(str(path), key, str(value), why) for key, value, why in _objections(tree)]
    problems.raise_if_any()
    space = {key: Range(**each) if isinstance(each, dict) else tuple(each) for key, each in tree["space"].items()}
    rest = {key: tree[key] for key in KEYS if key in tree and key not in ("cfg", "set", "space")}
    sweep = Sweep(path.stem, (path.parent / tree["cfg"]).resolve(), tree.get("set") or {}, space, **rest)
    if sweep.sampler != "grid":
        check_installed(f"sampler: {sweep.sampler}", {"optuna": "sweep"})
    _check_metric(path, sweep, _check_values(sweep, overrides))
    return sweep


def _objections(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield key, value and what is wrong with it, but for the values of configuration keys."""
    for key, allowed in (("sampler", SAMPLERS), ("goal", GOALS)):
        if (value := tree.get(key, allowed[0])) not in allowed:
            yield key, value, f"expected {', '.join(allowed)}{nearest(str(value), allowed)}"
    for key, least in (("trials", 1), ("seed", 0)):
        if key in tree and not (type(tree[key]) is int and tree[key] >= least):
            yield key, tree[key], f"expected a whole number of at least {least}"
    if not isinstance(tree.get("set") or {}, dict):
        yield "set", tree["set"], "expected a mapping of keys and values"
    searched = tree.get("sampler", "grid") != "grid"
    if searched and "trials" not in tree:
        yield "trials", "", f"is missing: how many does the sampler {tree['sampler']} draw?"
    space = tree.get("space", {})
    if not isinstance(space, dict) or ("space" in tree and not space):
        yield "space", space, "expected a list or {low, high} for each of some keys"
        return
    for key, dimension in space.items():
        if why := _objection(dimension, searched):
            yield f"space.{key}", dimension, why


def _objection(dimension: Any, searched: bool) -> str | None:
    if isinstance(dimension, list) and dimension:
        return None
    if not isinstance(dimension, dict) or not {"low", "high"} <= dimension.keys() <= {"low", "high", "log"}:
        return "expected a list of values, or {low, high}, with log: true or without"
    if not searched:
        return "a grid needs a list; for {low, high} the sampler is random or tpe"
    low, high, log = dimension["low"], dimension["high"], dimension.get("log", False)
    if type(low) not in (int, float) or type(high) not in (int, float) or type(log) is not bool:
        return "expected numbers for low and high, and true or false for log"
    if not low < high or (log and low <= 0):
        return "expected low to be smaller than high" + (", and above 0 with log" if log else "")
    return None


def _check_values(sweep: Sweep, overrides: Sequence[str]) -> CfgNode:
    """Load the configuration at every value of every key, the other keys at their first, and return one."""
    values = {
        key: [each.low, each.high] if isinstance(each, Range) else list(each) for key, each in sweep.space.items()
    }
    first = {key: own[0] for key, own in values.items()}
    messages: dict[str, None] = {}
    for point in ({**first, key: value} for key, own in values.items() for value in own):
        try:
            cfg = config.load(sweep.cfg, [*as_words({**sweep.fixed, **point}), *overrides])
        except ConfigurationError as error:
            messages[str(error)] = None
    if messages:
        raise ConfigurationError("\n".join(messages))
    return cfg


def _check_metric(path: Path, sweep: Sweep, cfg: CfgNode) -> None:
    """Make sure that runs have the metric."""
    known = ["train_loss", *(f"{split}_{name}" for split in cfg.eval.split for name in cfg.eval.metrics)]
    if sweep.metric not in known:
        message = f"runs have {', '.join(known)} (eval.split, eval.metrics){nearest(sweep.metric, known)}"
        Problems([Problem(str(path), "metric", str(sweep.metric), message)]).raise_if_any()
