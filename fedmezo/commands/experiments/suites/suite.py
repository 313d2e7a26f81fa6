"""A suite as data: ``configs/paper/NAME.yaml``.

title: what it shows
items: [figure 2]            # of the paper
axes:                        # arms are the product of the axes
  mu: {5e-3: {zo.mu: 5.0e-3}, 1e-3: {zo.mu: 1.0e-3}}
x: rounds                    # of the figure: rounds, or an axis whose labels are numbers
y: test_loss                 # of the figure
columns: [before, after, drop]
baseline: {mu: 1e-3}         # arms are compared with the one that has this instead, seed by seed
fresh: true                  # each run in a process of its own (where memory is measured)
published: {columns: [...], rows: [[...]]}
scales:
  cpu:
    cfg: ../_base_/gsm8k.yaml
    set: {federate.total_round_num: 6}     # for all arms, before those of the axes
    axes: {mu: {5e-3: {...}}}              # instead of the axis of that name
    baseline: {mu: 5e-3}
    columns: [drop, "gsm8k:exact_match,strict-match@100"]  # of a task, after so many rounds, or final
    evaluate: {tasks: [gsm8k], rounds: [0, 100, final], limit: 50, run_code: false}  # each run, by fedmezo.evaluate
    seeds: 3
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedmezo.commands.experiments.suites.evaluation import Evaluation, read_evaluation
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import check_keys, read_document
from fedmezo.core.text import nearest

KEYS = ("title", "items", "axes", "x", "y", "columns", "baseline", "fresh", "published", "scales", "note")
SCALE_KEYS = ("cfg", "set", "axes", "baseline", "columns", "evaluate", "seeds", "note")
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
    """

    labels: Mapping[str, str]
    cfg: Path
    overrides: Overrides

    @property
    def name(self) -> str:
        """A name for files."""
        return "_".join(re.sub(r"[^\w.-]+", "-", label).strip("-") for label in self.labels.values()) or "run"


@dataclass(frozen=True, eq=False)
class Suite:
    """A suite at one scale: see the module's text for the fields."""

    name: str
    scale: str
    title: str
    items: tuple[str, ...]
    arms: tuple[Arm, ...]
    x: str
    y: str
    columns: tuple[str, ...]
    baseline: Mapping[str, str]
    seeds: int
    fresh: bool = False
    note: str = ""
    published: Mapping[str, Any] = field(default_factory=dict)
    own_keys: frozenset[str] = frozenset()
    evaluation: Evaluation | None = None

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
    axes: Axes = {name: _labelled(own.get("axes", {}).get(name, values)) for name, values in tree["axes"].items()}
    cfg = (path.parent / own["cfg"]).resolve()
    note = " ".join(filter(None, [tree.get("note", ""), own.get("note", "")]))
    baseline = {axis: str(label) for axis, label in own.get("baseline", tree.get("baseline", {})).items()}
    for axis, label in baseline.items():
        if label not in axes.get(axis, {}):
            allowed = f"no arm of scale {scale} has it; of {axis} there are {', '.join(axes.get(axis, {})) or 'none'}"
            problems.append(Problem(str(path), f"baseline.{axis}", label, allowed))
    problems.raise_if_any()
    return Suite(
        name=path.stem,
        scale=scale,
        title=tree["title"],
        items=tuple(tree["items"]),
        arms=tuple(_arms(path, cfg, own.get("set", {}), axes)),
        x=tree.get("x", "rounds"),
        y=tree["y"],
        columns=tuple(own.get("columns", tree["columns"])),
        baseline=baseline,
        seeds=seeds or own.get("seeds", 1),
        fresh=tree.get("fresh", False),
        note=" ".join(note.split()),
        published=tree.get("published", {}),
        evaluation=evaluation,
        own_keys=frozenset(key for arms in axes.values() for own in arms.values() for key in own) - {"cfg"},
    )


def _arms(path: Path, cfg: Path, common: Overrides, axes: Axes) -> list[Arm]:
    found = []
    for labels in itertools.product(*axes.values()):
        own: dict[str, Any] = dict(common)
        for axis, label in zip(axes, labels, strict=True):
            own |= axes[axis][label]
        start = own.pop("cfg", None)
        named = dict(zip(axes, labels, strict=True))
        found.append(Arm(named, cfg if start is None else (path.parent / start).resolve(), own))
    return found


def _labelled(values: Mapping[Any, Overrides | None]) -> dict[str, Overrides]:
    return {str(label): overrides or {} for label, overrides in values.items()}
