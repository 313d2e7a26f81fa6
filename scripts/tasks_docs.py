"""Print ``docs/tasks.md`` from the YAML files of the tasks, with a row of our own writing for each.

python scripts/tasks_docs.py > docs/tasks.md
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedmezo.data.load import DESCRIBED
from fedmezo.data.prompts.task import TaskPrompt
from fedmezo.data.sources.rows import Row
from fedmezo.data.sources.task_rows import task_examples
from fedmezo.data.tasks.read import read_task
from fedmezo.data.tasks.task import Task

INTRODUCTION = """\
# Tasks

<!-- Made by: python scripts/tasks_docs.py > docs/tasks.md -->

What is asked of the rows of a data set: `data.type NAME`. Each task is a YAML file of the same name in
`fedmezo/data/sources`; [the guide](guides/classification.md) says how to write one. Rows are read from the local files
under `data.root` if they are there, else from the Hugging Face hub, of a fixed revision. The rows shown here are of our
own writing, in the form of each data set; below each stands what the model is given, and in brackets what it is to go
on with.
"""

# for each task, a row in the form of its data set
ROWS: dict[str, dict[str, Any]] = {
    "sentiment@llm": {"text": "The battery lasts for days.", "label": "positive", "domain": "products"},
    "opinions@llm": {"text": "The soup was superb.", "label": "positive", "subject": "meals"},
    "sst2@llm": {"sentence": "a slow film that is worth the wait", "label": 1},
    "ag_news@llm": {"text": "The home side won by a goal in the last minute.", "label": 1},
    "trec@llm": {"text": "How many bridges cross the river ?", "label_coarse_original": "NUM"},
    "cb@llm": {"premise": "I hope the bus is on time.", "hypothesis": "the bus is on time", "label": 2},
    "rte@llm": {
        "premise": "The bridge was closed all night.",
        "hypothesis": "No car crossed it at midnight.",
        "label": 0,
    },
    "boolq@llm": {"passage": "The old mill was sold in May.", "question": "is the mill still for sale", "label": 0},
    "wsc@llm": {
        "text": "The lamp did not fit on the shelf because it was too tall.",
        "span1_text": "The lamp",
        "span2_text": "it",
        "label": 1,
    },
    "wic@llm": {
        "word": "bank",
        "sentence1": "She sat on the bank and fished.",
        "sentence2": "The bank opens at nine.",
        "label": 0,
    },
    "multirc@llm": {
        "paragraph": "Ann planted plums. Her brother keeps bees.",
        "question": "Who keeps bees?",
        "answer": "Ann",
        "label": 0,
    },
    "copa@llm": {
        "premise": "The street was wet.",
        "question": "cause",
        "choice1": "It had rained.",
        "choice2": "The shops were shut.",
        "label": 0,
    },
    "record@llm": {
        "passage": "Lund and Ystad are towns by rail. The train began in Lund.",
        "query": "An hour later it reached @placeholder.",
        "entities": ["Lund", "Ystad"],
        "answers": ["Ystad"],
    },
    "squad@llm": {
        "title": "The pond",
        "context": "The pond is two metres deep and full of reeds.",
        "question": "How deep is the pond?",
        "answers": {"text": ["two metres"]},
    },
    "drop@llm": {
        "passage": "They won three games in May and two in June.",
        "question": "How many games did they win?",
        "answers_spans": {"spans": ["5"]},
    },
}


def document() -> Iterator[str]:
    """Yield the lines of the document: a section a task, those that are chosen first."""
    yield INTRODUCTION
    tasks = [read_task(path, name) for name, path in DESCRIBED.items()]
    for task in sorted(tasks, key=lambda task: (task.kind, task.name)):
        yield from section(task, description(DESCRIBED[task.name]))


def description(path: Path) -> str:
    """Return the comment that a task's file begins with, on one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))


def section(task: Task, about: str) -> Iterator[str]:
    """Yield what is to be known of a task."""
    (example,) = task_examples([Row("the row of the documentation", ROWS[task.name])], task)
    yield from (f"## {task.name}", "", about, "")
    yield f"- {task.kind.capitalize()}: {answers(task)}"
    yield f"- Rows: {rows_of(task)}"
    yield f"- A row: `{json.dumps(ROWS[task.name])}`"
    yield from ("", "```text", f"{TaskPrompt()(example)}[{example.output}]", "```", "")


def answers(task: Task) -> str:
    """Return which answers there are."""
    if not task.labels:
        evaluated = " and ".join(f"`{name}`" for name in task.metrics)
        against = f"; evaluated by {evaluated} against `{task.references}`" if task.references else ""
        chosen = f", chosen among `{task.candidates}`" if task.candidates and against else ""
        return f"the answer is written{against}{chosen}"
    words = (f"`{word}` ({' or '.join(f'`{value}`' for value in values)})" for word, values in task.labels.items())
    return ", ".join(words)


def rows_of(task: Task) -> str:
    """Return where the rows are from."""
    places = [" and ".join(f"`{name}`" for name in task.files)] if task.files else []
    if task.hub:
        name = f"{task.hub.id}, {task.hub.config}" if task.hub.config else task.hub.id
        splits = " and ".join(task.hub.splits)
        places.append(f"`{name}` of the hub, revision `{task.hub.revision[:8]}`, {splits}")
    return "; or ".join(places) or "the reader of the package, " + f"`{task.archive}`"


if __name__ == "__main__":
    print("\n".join(document()), end="")
