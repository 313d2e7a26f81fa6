"""Task files of the user's: what is wrong with them is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedmezo.core.errors import FedmezoError
from fedmezo.evaluation.tasks import tasks
from fedmezo.evaluation.tasks.tasks import check_tasks, load_task, surroundings

MOOD = """
task: mood
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{text}}:"
doc_to_target: text
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "code", "words"),
    [
        ("[{metric", "[{metric: [", 2, "mood.yaml:9\n      not YAML: "),
        (
            "metric: exact_match",
            "metric: exact_mach",
            2,
            "mood.yaml:9  metric_list.metric = exact_mach\n      expected one",
        ),
        ("metric: exact_match", "metric: exact_mach", 2, "hf_evaluate: true; the nearest is exact_match"),
        ("mean", "meen", 2, "mood.yaml:9  metric_list.aggregation = meen\n      expected one of bits_per_byte, "),
        (
            "doc_to_target",
            "doc_to_taget",
            2,
            "mood.yaml:8  doc_to_taget\n      there is no such field; the nearest is doc_to",
        ),
        (
            "generate_until",
            "generate",
            2,
            "mood.yaml:6  output_type = generate\n      expected one of generate_until, log",
        ),
        ("test_split", "filter_list: [{name: a, filter: [{function: rege}]}]\ntest_split", 2, "the nearest is regex"),
        ("task: mood", "include: base.yml", 2, "mood.yaml:2  include = base.yml\n      there is no file "),
        ("task: mood", "include: mood.yaml", 2, "mood.yaml:2  include = mood.yaml\n      the file includes itself"),
        ("task: mood\n", "", 2, "mood.yaml  task\n      is missing: the task's name"),
        (MOOD, "- mood", 2, "expected a mapping of a task's fields"),
        (MOOD, "", 2, "expected a mapping of a task's fields"),
        (
            "task: mood",
            "group: moods\ntask: [{task: mood, oops: 1}]",
            2,
            "mood.yaml:3  oops\n      there is no such field",
        ),
        ("doc_to_text:", "process_docs: !function words.same\ndoc_to_text:", 2, "Cannot import module 'words'"),
        ("{{text}}", "{{text", 2, "it is no task: TemplateSyntaxError: "),
        ("rows", "rowz", 3, "mood.yaml:4  dataset_kwargs.data_files = rowz.jsonl\n      there is no file "),
        ("rows", "rowz", 3, "rowz.jsonl; the nearest is rows.jsonl"),
        ("rows", "broken", 3, "it cannot be loaded: "),
    ],
)
def test_what_is_wrong_with_a_task_file_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"text": "good"}\n', encoding="utf-8")
    Path("broken.jsonl").write_text('{"text": "good\n', encoding="utf-8")
    assert right in MOOD
    error = refused(MOOD.replace(right, wrong, 1))
    assert error.exit_code == code and words in str(error) and "hub" not in str(error)


def test_a_metric_that_no_program_registers_is_told_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"text": "good"}\n', encoding="utf-8")
    Path("words.py").write_text("def same(docs):\n    return docs\n", encoding="utf-8")
    own = MOOD.replace("doc_to_text:", "process_docs: !function words.same\ndoc_to_text:")
    error = refused(own.replace("exact_match", "exact_mach"))
    assert error.exit_code == 2 and "there is no metric exact_mach" in str(error)


def test_torch_is_not_needed_to_check_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mood.yaml"
    path.write_text(MOOD.replace("rows.jsonl", str(path)), encoding="utf-8")
    program = (
        "import sys; from fedmezo.evaluation.tasks import tasks; tasks.check_tasks(sys.argv[1:]); print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True).stdout
    assert "lm_eval.config.task" in said.split() and "torch" not in said.split()


def test_the_hub_is_named_where_it_is_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "hub_reachable", lambda: False)
    error = refused(MOOD.replace("path: json", "path: nobody/nothing"))
    assert error.exit_code == 3 and str(error).endswith("the hub cannot be reached; gsm8k_local and held_out need none")


def refused(text: str) -> FedmezoError:
    """Return why a text is no task file."""
    Path("mood.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FedmezoError) as error, surroundings("mood.yaml"):
        check_tasks(["mood.yaml"])
        load_task("mood.yaml", run_code=False)
    return error.value
