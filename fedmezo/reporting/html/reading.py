"""Reading the folders of runs: whatever state they are in, what they hold is found, and what they lack is told."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fedmezo.config.files import read_file
from fedmezo.config.schema import DEFAULTS, earlier
from fedmezo.core.documents.problems import Problems
from fedmezo.core.errors import ResourceError
from fedmezo.core.files import whole_lines
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import number_of_rounds
from fedmezo.data.partition import SPLITS
from fedmezo.evaluation.answers import shown
from fedmezo.evaluation.example_file import read_examples, sums_of
from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import LOSS
from fedmezo.reporting.html.labels import labels
from fedmezo.reporting.html.rounds import round_rows
from fedmezo.reporting.html.run import Held, Run

UNSOUND = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
BASELINES = ("majority", "zero_shot")


def read_runs(folders: Sequence[RunFolder]) -> list[Run]:
    """Return the runs of some folders; one that is named twice is read once."""
    own = list({folder.path.resolve(): folder for folder in folders}.values())
    names = labels([folder.path for folder in own])
    return [read_run(folder, name) for folder, name in zip(own, names, strict=True)]


def read_run(folder: RunFolder, label: str) -> Run:
    """Return the run of a folder."""
    with ExitStack() as reading:
        notes: list[str] = []
        try:
            reading.enter_context(folder.read())
            working = False
        except ResourceError:  # a process is at work on it: this is how far it is
            working = True
        settings = _settings(folder, notes)
        ledger = _ledger(folder, notes)
        lines = whole_lines(folder.metrics)
        summary = _object(folder.path / "summary.json", notes, wanted=False)
        partition = _object(folder.path / "partition.json", notes)
        environment = _object(folder.path / "environment.json", notes)
        examples = _examples(folder)
    rounds, records = round_rows(lines), ledger.rounds() if ledger else []
    if len(rounds) < len(records):
        notes.append(f"metrics.jsonl holds {len(rounds)} of {len(records)} rounds; --resume writes it anew")
    evaluations = ledger.evaluations() if ledger else []
    evaluated = {(row.rounds_done, split) for row in evaluations for split in row.losses}
    evaluated |= {(row.done, split) for row in rounds for split in row.losses}
    _note_examples(folder, len(evaluated - examples.keys()), len(evaluated), notes)
    held = _partition(partition, notes)
    outcome = _outcome(summary, max(len(rounds), len(records)), settings["federate.total_round_num"], working)
    return Run(
        folder=folder.path,
        label=label,
        outcome=outcome,
        notes=notes,
        settings=settings,
        header=ledger.header if ledger else None,
        records=records,
        evaluations=evaluations,
        rounds=rounds,
        examples=examples,
        partition=held,
        partition_hash=str(partition.get("hash", "")),
        environment=environment,
        baselines=_baselines(summary),
        answers=_answers(summary, notes),
    )


def _settings(folder: RunFolder, notes: list[str]) -> dict[str, Any]:
    problems = Problems()
    found = {name: setting.value for name, setting in read_file(folder.config, problems).items()}
    if problems:
        notes.append(f"config.yaml is damaged, and defaults stand for what it lacks: {problems[0]}")
    return DEFAULTS | earlier() | found


def _ledger(folder: RunFolder, notes: list[str]) -> Ledger | None:
    if not folder.ledger.exists():
        notes.append("ledger.bin is missing: no projected gradients, and no evaluation before training")
        return None
    try:
        ledger = Ledger(folder.ledger)
    except ResourceError as error:
        notes.append(" ".join(str(error).split()))
        return None
    if ledger.fault:
        notes.append(ledger.damage())
    return ledger


def _object(path: Path, notes: list[str], *, wanted: bool = True) -> dict[str, Any]:
    """Return the object of a JSON file, {} where there is none."""
    try:
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    except FileNotFoundError:
        if wanted:
            notes.append(f"{path.name} is missing")
        return {}
    except (OSError, ValueError, RecursionError):
        pass
    notes.append(f"{path.name} is damaged")
    return {}


def _partition(content: dict[str, Any], notes: list[str]) -> list[Held]:
    try:
        return [
            {
                split: Counter({str(name): int(count) for name, count in client[split]["categories"].items()})
                for split in SPLITS
            }
            for client in content.get("clients", [])
        ]
    except UNSOUND:
        notes.append("partition.json is damaged")
        return []


def _examples(folder: RunFolder) -> dict[tuple[int, str], ExampleSums]:
    found = {}
    try:
        rows = read_examples(folder.examples)
    except UNSOUND:
        return {}
    for key, row in rows.items():
        try:
            sums = sums_of(row)
            losses, tokens = sums.sums[LOSS]
            sound = len(sums.indices) == len(losses) == len(tokens) > 0 and tokens.min() > 0
        except UNSOUND:
            continue
        if sound:
            found[key] = sums
    return found


def _note_examples(folder: RunFolder, missing: int, evaluated: int, notes: list[str]) -> None:
    name = folder.examples.name
    if missing and not folder.examples.exists():
        notes.append(f"{name} is missing: no paired changes, and no standard errors")
    elif missing:
        notes.append(
            f"{name} holds {evaluated - missing} of {evaluated} evaluated splits; the others have no paired changes"
        )


def _baselines(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, by split, what accuracies are compared with; {} where that is not told, or damaged."""
    found = summary.get("baselines", {})
    sound = isinstance(found, dict) and all(isinstance(own, dict) for own in found.values())
    numbers = [own.get(name) for own in found.values() for name in BASELINES] if sound else [None]
    return found if all(isinstance(number, float) for number in numbers) else {}


def _answers(summary: dict[str, Any], notes: list[str]) -> dict[str, dict[str, Any]]:
    """Return, by split and metric, how answers changed; {} where that is not told, or damaged."""
    found = summary.get("answers", {})
    try:
        for each in (each for own in found.values() for each in own.values()):
            for side in ("before", "after", "change"):
                shown(float(each[side]), [float(bound) for bound in each["intervals"][side]])
    except UNSOUND:
        notes.append("summary.json is damaged: what it says of answers is left out")
        return {}
    return dict(found)


def _outcome(summary: dict[str, Any], done: int, total: int, working: bool) -> str:
    if working:
        return f"running: {done} of {number_of_rounds(total)} done"
    if summary.get("rounds") == done and "outcome" in summary:
        ended = str(summary["outcome"])
        return (
            ended if ended in ("completed", "stopped early") else f"{ended} after {done} of {number_of_rounds(total)}"
        )
    return f"unfinished: {done} of {number_of_rounds(total)} done"
