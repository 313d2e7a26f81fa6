"""A suite as data: ``configs/paper/NAME.yaml``.

title: what it shows
work: Ling et al. (KDD 2024) # whose protocol it is
items: [figure 2]            # of that work
axes:                        # arms are the product of the axes
  mu: {5e-3: {zo.mu: 5.0e-3}, 1e-3: {zo.mu: 1.0e-3}}
  method: {a: {rates: [1.0e-3, 3.0e-3], only: {mu: [1e-3]}}}  # to begin with (see .rates); with these labels only
x: rounds                    # of the figure: rounds, an axis, or what is spent: [forwards, bytes], a panel each
y: test_loss                 # of the figure
columns: [before, after, drop]
baseline: {mu: 1e-3}         # arms are compared with the one that has this instead, seed by seed
fresh: true                  # each run in a process of its own (where memory is measured)
published:                   # see :mod:`fedmezo.commands.experiments.suites.published`
  source: Ling et al. (KDD 2024), table 1
  beside: {accuracy: {5e-3: 0.84}}       # a column in the table of results: values by the labels of the arms
  columns: [...]                         # a table of its own
  rows: [[...]]
scales:
  cpu:
    cfg: ../_base_/gsm8k.yaml
    set: {federate.total_round_num: 6}     # for all arms, before those of the axes
    axes: {mu: {5e-3: {zo.mu: 5.0e-3, seeds: 1}}}  # instead of the axis of that name; and of the seeds
    baseline: {mu: 5e-3}
    columns: [drop, "gsm8k:exact_match,strict-match@100"]  # of a task, after so many rounds, or final
    budget: 240  # forwards: where measures are read off; of an axis, for its arms
    evaluate: {tasks: [gsm8k], rounds: [0, 100, final], limit: 50, run_code: false}  # each run, by fedmezo.evaluate
    seeds: 3
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedmezo.commands.experiments.suites.evaluation import Evaluation, read_evaluation
from fedmezo.commands.experiments.suites.published import Published, read_published
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import check_keys, read_document
from fedmezo.core.text import nearest

PAPER = "Ling et al. (KDD 2024)"
KEYS = ("title", "work", "items", "axes", "x", "y", "columns", "baseline", "fresh", "published", "scales", "note")
SCALE_KEYS = ("cfg", "set", "axes", "baseline", "columns", "evaluate", "seeds", "budget", "note")
OF_ARMS = ("cfg", "seeds", "budget", "rates", "only")  # what an axis may say of its arms besides keys
RATE = "train.optimizer.lr"
PUBLISHED = "paper"  # the scale of the published settings
NEEDED = ("title", "items", "axes", "y", "columns", "scales")

Overrides = Mapping[str, Any]
Axes = Mapping[str, Mapping[str, Overrides]]


@dataclass(frozen=True, eq=False)
class Arm:
    """One setting of a suite.

    Args:
        labels: its value on each axis.
        cfg: the configuration that it starts from.
        overrides: of keys.
        seeds: that it is run with.
        budget: of forwards, at which its runs are compared with others; None: at their end.
        rates: of which the best is to be found first; empty where it has one.
        rate: that was found.
    """

    labels: Mapping[str, str]
    cfg: Path
    overrides: Overrides
    seeds: int = 1
    budget: float | None = None
    rates: tuple[float, ...] = ()
    rate: float | None = None

    @property
    def name(self) -> str:
        """A name for files."""
        parts = [re.sub(r"[^\w.-]+", "-", label).strip("-") for label in self.labels.values()]
        return "_".join([*parts, *([] if self.rate is None else [f"rate{self.rate:g}"])]) or "run"


@dataclass(frozen=True, eq=False)
class Suite:
    """A suite at one scale: see the module's text for the fields.

    ``original``: its arms at scale paper; ``tried``: the validation loss of rates that were tried, by arm.
    """

    name: str
    scale: str
    title: str
    items: tuple[str, ...]
    arms: tuple[Arm, ...]
    x: tuple[str, ...]
    y: str
    columns: tuple[str, ...]
    baseline: Mapping[str, str]
    work: str = PAPER
    original: tuple[Arm, ...] = ()
    fresh: bool = False
    note: str = ""
    published: Published = field(default_factory=Published)
    own_keys: frozenset[str] = frozenset()
    evaluation: Evaluation | None = None
    tried: Mapping[str, Mapping[float, float]] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return sum(arm.seeds for arm in self.arms)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes."""
        return tuple(self.arms[0].labels)


def load(path: Path, scale: str, seeds: int | None = None) -> Suite:
    """Return a suite at a scale.

    Args:
        path: its file.
        scale: of its scales.
        seeds: instead of the scale's own number.

    Raises:
        ConfigurationError: the file is no suite, or has no such scale.
    """
    tree, problems = read_document(path), Problems()
    check_keys(path, tree, NEEDED, KEYS, problems)
    scales = tree.get("scales", {scale: {"cfg": ""}})
    for name, own in scales.items():
        check_keys(path, own, ("cfg",), SCALE_KEYS, problems, f"scales.{name}.")
    if scale not in scales:
        problems.append(Problem(str(path), "scales", "", f"there is no {scale}{nearest(scale, scales)}"))
    problems.raise_if_any()
    own = scales[scale]
    asked = own.get("evaluate")
    evaluation = None if asked is None else read_evaluation(path, asked, problems, f"scales.{scale}.evaluate")
    axes = _axes(tree, own)
    note = " ".join(filter(None, [tree.get("note", ""), own.get("note", "")]))
    baseline = {axis: str(label) for axis, label in own.get("baseline", tree.get("baseline", {})).items()}
    for axis, label in baseline.items():
        if label not in axes.get(axis, {}):
            allowed = f"no arm of scale {scale} has it; of {axis} there are {', '.join(axes.get(axis, {})) or 'none'}"
            problems.append(Problem(str(path), f"baseline.{axis}", label, allowed))
    published = _published(path, tree, problems)
    _check_arms(path, own, axes, scale, problems)
    problems.raise_if_any()
    return Suite(
        name=path.stem,
        scale=scale,
        title=tree["title"],
        items=tuple(tree["items"]),
        arms=_arms(path, own, axes, seeds),
        original=_arms(path, scales[PUBLISHED], _axes(tree, scales[PUBLISHED])) if PUBLISHED in scales else (),
        x=tuple(_listed(tree.get("x", "rounds"))),
        y=tree["y"],
        columns=tuple(own.get("columns", tree["columns"])),
        baseline=baseline,
        work=tree.get("work", PAPER),
        fresh=tree.get("fresh", False),
        note=" ".join(note.split()),
        published=published,
        evaluation=evaluation,
        own_keys=frozenset(
            RATE if key == "rates" else key for arms in axes.values() for own in arms.values() for key in own
        )
        - {*OF_ARMS},
    )


def _axes(tree: Mapping[str, Any], own: Mapping[str, Any]) -> Axes:
    return {name: _labelled(own.get("axes", {}).get(name, values)) for name, values in tree["axes"].items()}


def _arms(path: Path, scale: Mapping[str, Any], axes: Axes, seeds: int | None = None) -> tuple[Arm, ...]:
    found = []
    for labels in itertools.product(*axes.values()):
        own: dict[str, Any] = {name: scale[name] for name in ("cfg", "budget") if name in scale} | scale.get("set", {})
        for axis, label in zip(axes, labels, strict=True):
            own |= axes[axis][label]
        only = own.pop("only", {})
        if any(label not in map(str, only.get(axis, [label])) for axis, label in zip(axes, labels, strict=True)):
            continue
        cfg, most = (path.parent / own.pop("cfg")).resolve(), own.pop("seeds", scale.get("seeds", 1))
        budget, rates = own.pop("budget", None), tuple(own.pop("rates", ()))
        found.append(Arm(dict(zip(axes, labels, strict=True)), cfg, own, seeds or most, budget, rates))
    return tuple(found)


def _check_arms(path: Path, own: Mapping[str, Any], axes: Axes, scale: str, problems: Problems) -> None:
    """Note budgets and rates that are none."""
    given = {f"{axis}.{label}": each for axis, arms in axes.items() for label, each in arms.items()}
    for place, each in {f"scales.{scale}": own, **given}.items():
        if "budget" in each and not _above_zero(each["budget"]):
            problems.append(Problem(str(path), f"{place}.budget", str(each["budget"]), "expected a number above 0"))
        problems += [
            Problem(str(path), f"{place}.only{where}", value, message)
            for where, value, message in _wrong_labels(each.get("only", {}), axes)
        ]
        if each.get("rates", []) != [] and not _is_grid(each["rates"]):  # none: those of another arm are not for this
            wanted = "expected a list of at least two numbers above 0, ascending"
            problems.append(Problem(str(path), f"{place}.rates", str(each["rates"]), wanted))


def _wrong_labels(only: Any, axes: Axes) -> Iterator[tuple[str, str, str]]:
    """Yield where, what and why, of labels that no axis has."""
    if not isinstance(only, dict) or not all(isinstance(labels, list) for labels in only.values()):
        yield "", str(only), "expected a mapping of axes to lists of their labels"
        return
    for axis, labels in only.items():
        if axis not in axes:
            yield f".{axis}", "", f"there is no such axis; there are {', '.join(axes)}"
            continue
        for label in map(str, labels):
            if label not in axes[axis]:
                yield f".{axis}", label, f"there is none{nearest(label, axes[axis])}"


def _is_grid(rates: Any) -> bool:
    return isinstance(rates, list) and len(rates) > 1 and all(map(_above_zero, rates)) and rates == sorted(set(rates))


def _above_zero(value: Any) -> bool:
    return type(value) in (int, float) and value > 0


def _published(path: Path, tree: Mapping[str, Any], problems: Problems) -> Published:
    """Return what is published; its arms may be those of any scale."""
    if "published" not in tree:
        return Published()
    every = [_axes(tree, own) for own in tree["scales"].values()]
    labels = {name: list(dict.fromkeys(label for axes in every for label in axes[name])) for name in tree["axes"]}
    return read_published(path, tree["published"], labels, problems) or Published()


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _labelled(values: Mapping[Any, Overrides | None]) -> dict[str, Overrides]:
    return {str(label): overrides or {} for label, overrides in values.items()}
