"""The contract of a task, on every one that is shipped: a row of our own writing, in the format of each."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fedmezo.core.errors import ConfigurationError, FedmezoError, ResourceError
from fedmezo.data.examples import Example
from fedmezo.data.load import DESCRIBED, find_task, load_dataset
from fedmezo.data.prompts.task import TaskPrompt
from fedmezo.data.sources.source import Request
from tests.data.sources.archives import write_distribution

# for each task: a row, the prompt and the response that it becomes
ROWS: dict[str, tuple[dict[str, Any], str, str]] = {
    "sst2@llm": ({"sentence": "a warm film ", "label": 1}, "a warm film It was", " great"),
    "ag_news@llm": ({"text": "Rain in the north.", "label": 0}, "Rain in the north.\nTopic:", " World"),
    "trec@llm": (
        {"text": "Who sings ?", "label_coarse_original": "HUM"},
        "Who sings ?\nThe answer is of the kind:",
        " Human",
    ),
    "cb@llm": (
        {"premise": "She may go.", "hypothesis": "she goes", "label": 2},
        'Suppose She may go. Can we infer that "she goes"? Yes, No, or Maybe?\n',
        "Maybe",
    ),
    "rte@llm": (
        {"premise": "It rains.", "hypothesis": "It is wet.", "label": "entailment"},
        'It rains.\nDoes this mean that "It is wet." is true? Yes or No?\n',
        "Yes",
    ),
    "boolq@llm": (
        {"passage": "Tea is a drink.", "question": "is tea a drink", "label": True},
        "Tea is a drink. is tea a drink?",
        " Yes",
    ),
    "wsc@llm": (
        {"text": "Ann thanked Eve as she left.", "span1_text": "Ann", "span2_text": "she", "label": 0},
        'Ann thanked Eve as she left.\nIn the previous sentence, does the pronoun "she" refer to Ann? Yes or No?\n',
        "No",
    ),
    "wic@llm": (
        {"word": "bank", "sentence1": "The bank lends.", "sentence2": "The bank is steep.", "label": 0},
        'Does the word "bank" have the same meaning in these two sentences? Yes, No?\nThe bank lends.\n'
        "The bank is steep.\n",
        "No",
    ),
    "multirc@llm": (
        {"paragraph": "Tom eats.", "question": "Who eats?", "answer": "Tom", "label": 1},
        'Tom eats.\nQuestion: Who eats?\nI found this answer "Tom". Is that correct? Yes or No?\n',
        "Yes",
    ),
    "copa@llm": (
        {"premise": "The cup broke.", "choice1": "It fell.", "choice2": "It sang.", "question": "cause", "label": 0},
        "The cup broke. because?\nChoice 1: It fell.\nChoice 2: It sang.\nWhich choice makes more sense? 1 or 2:",
        " 1",
    ),
    "record@llm": (
        {
            "passage": "Ann met Eve.",
            "query": "@placeholder smiled.",
            "entities": ["Ann", "Eve", "Ann"],
            "answers": ["Eve", "Ann"],
        },
        'Ann met Eve.\n@placeholder smiled.\nQuestion: what is the "@placeholder"\nAnswer:',
        " Eve",
    ),
    "squad@llm": (
        {"title": "Tea", "context": "Tea is hot.", "question": "What is hot?", "answers": {"text": ["Tea", "tea"]}},
        "Title: Tea\nContext: Tea is hot.\nQuestion: What is hot?\nAnswer:",
        " Tea",
    ),
    "drop@llm": (
        {
            "passage": "They won 3 games.",
            "question": "How many?",
            "answers_spans": {"spans": ["3"]},
        },
        "Passage: They won 3 games.\nQuestion: How many?\nAnswer:",
        " 3",
    ),
}
WITHOUT_FILES = {"opinions@llm", "sentiment@llm"}
OF_FILES = sorted(set(DESCRIBED) - WITHOUT_FILES)


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write rows as a file whose ending says how."""
    if name.endswith(".tsv"):
        lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")


def files_of(name: str) -> tuple[str, ...]:
    task = find_task(Request(name, Path()))
    assert task is not None
    return task.files


def shown(example: Example) -> tuple[str, str]:
    return TaskPrompt()(example), example.output


@pytest.mark.parametrize("name", OF_FILES)
def test_a_row_in_its_format_becomes_prompt_and_response(tmp_path: Path, name: str) -> None:
    row, prompt, response = ROWS[name]
    train, test = files_of(name)
    write(tmp_path, train, [row, row])
    assert load_dataset(Request(name, tmp_path)).num_own_test == 0
    write(tmp_path, test, [row])
    data = load_dataset(Request(name, tmp_path))
    assert [shown(example) for example in data.examples] == [(prompt, response)] * 3
    assert data.num_own_test == 1 and train in data.source and test in data.source


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_class_is_the_label_word(tmp_path: Path, name: str) -> None:
    if name in WITHOUT_FILES:
        write_distribution(tmp_path)
    else:
        write(tmp_path, files_of(name)[0], [ROWS[name][0]])
    task, data = find_task(Request(name, tmp_path)), load_dataset(Request(name, tmp_path))
    assert task is not None
    for example in data.examples:
        assert (example.output in task.label_words) if task.label_words else example.label is None
        assert example.label is None or example.output == task.response(example.label)


@pytest.mark.parametrize("name", OF_FILES)
def test_without_files_and_hub_it_says_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResourceError) as caught:
        load_dataset(Request(name, tmp_path))
    assert f"put {' and '.join(files_of(name))} into {tmp_path}" in str(caught.value)


def test_opinions_are_put_together_alike_in_every_class_and_category(tmp_path: Path) -> None:
    data = load_dataset(Request("opinions@llm", tmp_path, num_examples=3))
    assert len(data.examples) == 360 == len({example.input for example in data.examples}) and data.num_own_test == 0
    counts = Counter((example.category, example.label) for example in data.examples)
    assert counts == dict.fromkeys(((each, word) for each in ("films", "meals", "trips") for word in ("No", "Yes")), 60)
    assert shown(data.examples[0]) == ("The plot was awful.\nIs that praise? Yes or No?\n", "No")


def test_one_file_is_read_instead_of_the_tasks_own(tmp_path: Path) -> None:
    write(tmp_path, "mine.jsonl", [ROWS["sst2@llm"][0]])
    data = load_dataset(Request("sst2@llm", tmp_path, file="mine.jsonl"))
    assert len(data.examples) == 1 and data.num_own_test == 0


def test_a_task_of_the_users_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "mood.yaml").write_text(
        "kind: classification\ntemplate: '{text} ->'\nfields: {text: t, label: l, category: c}\n"
        "labels: {sad: ['0'], glad: ['1']}\nfiles: [mood.csv]\n",
        encoding="utf-8",
    )
    (tmp_path / "mood.csv").write_text('t,l,c\n"Well, yes",1,north\nno,0,\n', encoding="utf-8")
    first, second = load_dataset(Request("mood.yaml", tmp_path)).examples
    assert first == Example("", "Well, yes", " glad", "north", " ->", "glad") and second.category is None
    with pytest.raises(ConfigurationError, match=r"mood\.yml: no such file"):
        load_dataset(Request("mood.yml", tmp_path))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "archive: vader_sentimnet",
            r"archive = vader_sentimnet\n .*expected opinions, vader_sentiment; the nearest is vader_",
        ),
        ("", r"mood\.yaml: no local file\n    name a file with data\.file$"),
    ],
)
def test_a_task_whose_rows_are_nowhere_is_told(tmp_path: Path, line: str, expected: str) -> None:
    form = (
        "kind: classification\ntemplate: '{text} ->'\nfields: {text: t, label: l}\nlabels: {sad: ['0'], glad: ['1']}\n"
    )
    (tmp_path / "mood.yaml").write_text(form + line, encoding="utf-8")
    with pytest.raises(FedmezoError, match=expected):
        load_dataset(Request("mood.yaml", tmp_path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "sentence\tlabel\na\t1\nb\t2\nc\tx\n",
            r"2 of 3 rows are malformed\n    .*\.tsv:3, column 2: label is '2'",
        ),
        ("sentence\tlabel\na\t1\nb\t2\n", "no label of sst2@llm: expected one of 0, 1"),
        (
            "sentence\tlabels\na\t1\n",
            r"\.tsv: the label of sst2@llm is in label, which no row has; the nearest",
        ),
    ],
)
def test_rows_that_do_not_fit_are_told_with_line_and_column(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "sst2_train.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(ResourceError, match=expected):
        load_dataset(Request("sst2@llm", tmp_path))


@pytest.mark.parametrize(
    ("name", "role"),
    # what is in a table is a text
    [(name, role) for name in OF_FILES for role in ("text", "answer") if (name, role) != ("sst2@llm", "text")],
)
def test_a_malformed_row_of_any_task_is_told_with_line_and_column(tmp_path: Path, name: str, role: str) -> None:
    task, file, (row, _, _) = find_task(Request(name, tmp_path)), files_of(name)[0], ROWS[name]
    assert task is not None
    field = "label" if role == "answer" and task.labels else role
    path = task.fields[field]
    column = path.partition(".")[0]
    write(tmp_path, file, [row, row | {column: "neither" if field == "label" else [["neither"]]}])
    with pytest.raises(ResourceError) as caught:
        load_dataset(Request(name, tmp_path))
    line, number = 3 if file.endswith(".tsv") else 2, list(row).index(column) + 1  # a table has a header
    told = f"1 of 2 rows are malformed\n    {tmp_path / file}:{line}, column {number}: {path} is"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"answers": {"text": []}}, r"squad_train\.jsonl:1, column 4: answers.text.0 is null, expected a text"),
        ({"answers": "Tea"}, "answers.text.0 is null"),
        ({"context": ["a"]}, "column 2: context is a list, expected a text"),
        ({"context": "\ud800"}, "context is half of a surrogate pair"),
    ],
)
def test_what_is_missing_inside_of_a_row_is_told(tmp_path: Path, row: dict[str, Any], expected: str) -> None:
    write(tmp_path, "squad_train.jsonl", [ROWS["squad@llm"][0] | row])
    with pytest.raises(ResourceError, match=expected):
        load_dataset(Request("squad@llm", tmp_path))


def test_a_value_without_a_word_for_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, "copa_train.jsonl", [ROWS["copa@llm"][0] | {"question": "reason"}])
    with pytest.raises(ResourceError, match="column 4: question is 'reason', expected one of cause, effect"):
        load_dataset(Request("copa@llm", tmp_path))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request("arithmetic@llm", Path(), num_examples=3, task="classification"), "data.task = classification\n"),
        (Request("a.jsonl", Path(), template="{text}"), r"data.template = {text}\n    a.jsonl is no task"),
        (Request("a/b@hub", Path(), label_words=("a", "b")), r"data.label_words = \['a', 'b'\]\n"),
        (
            Request("sst2@llm", Path(), fields={"input": "x"}),
            "data.fields.input = x\n    the fields of sst2@llm",
        ),
    ],
)
def test_keys_that_do_not_fit_the_data_are_told(request_: Request, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        load_dataset(request_)


def test_the_real_sst2_is_read_whole(real_data: Path) -> None:
    data = load_dataset(Request("sst2@llm", real_data))
    assert (len(data.examples), data.num_own_test) == (67349 + 872, 872)


ANSWERS = {  # of each task that has them: all right answers of its row, and what is chosen among
    "squad@llm": (("Tea", "tea"), ()),
    "drop@llm": (("3",), ()),
    "record@llm": (("Eve", "Ann"), (" Ann", " Eve")),
}


@pytest.mark.parametrize("name", OF_FILES)
def test_all_right_answers_and_candidates_are_there(tmp_path: Path, name: str) -> None:
    write(tmp_path, files_of(name)[0], [ROWS[name][0]])
    (example,) = load_dataset(Request(name, tmp_path)).examples
    references, candidates = ANSWERS.get(name, ((), ()))
    assert (example.references, example.candidates) == (references, candidates)
    assert example.right_answers == (references or (example.output.strip(),))
    assert bool(references) == bool(find_task(Request(name, tmp_path)).metrics)  # type: ignore[union-attr]


def test_a_list_within_the_list_is_an_answer_of_several_spans(tmp_path: Path) -> None:
    row = ROWS["drop@llm"][0] | {"answers_spans": {"spans": ["3", ["Ann", "Eve"], 4]}}
    write(tmp_path, "drop_train.jsonl", [row])
    (example,) = load_dataset(Request("drop@llm", tmp_path)).examples
    assert example.references == ("3", ("Ann", "Eve"), "4") and example.output == " 3"


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("record@llm", {"entities": None}, "column 3: entities holds null, expected a list of texts"),
        ("record@llm", {"entities": []}, "column 3: entities holds an empty list, expected a list of texts"),
        ("record@llm", {"answers": ["Ann", {}]}, "column 4: answers holds an object, expected a list of texts"),
        ("drop@llm", {"answers_spans": {"spans": ["3", []]}}, "answers_spans.spans holds an empty list, expected"),
        ("squad@llm", {"answers": {"text": ["Tea", ["a", None]]}}, "answers.text holds a list, expected a list of"),
    ],
)
def test_answers_that_are_missing_are_told_with_their_line(
    tmp_path: Path, name: str, change: dict[str, Any], expected: str
) -> None:
    file = files_of(name)[0]
    write(tmp_path, file, [ROWS[name][0], ROWS[name][0] | change])
    with pytest.raises(ResourceError) as caught:
        load_dataset(Request(name, tmp_path))
    assert f"{tmp_path / file}:2, column" in str(caught.value) and expected in str(caught.value)


def test_a_column_of_answers_that_no_row_has_is_told(tmp_path: Path) -> None:
    row = {name: value for name, value in ROWS["record@llm"][0].items() if name != "entities"}
    write(tmp_path, "record_train.jsonl", [row | {"entity": ["Ann"]}])
    with pytest.raises(ResourceError, match="the candidates of record@llm is in entities, which no row has"):
        load_dataset(Request("record@llm", tmp_path))
