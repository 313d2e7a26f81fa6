"""The held-out examples of a classification as a task file of lm_eval: the likeliest label word is the answer."""

from pathlib import Path

from fedmezo.evaluation.tasks.yaml_text import task_text

VERSION = 1.0


def held_out_task(name: str, file: Path) -> str:
    """Return the text of a task file.

    Args:
        name: of the task.
        file: JSON lines with ``prompt``, ``choices`` (as they follow it) and ``label``, the number of the right one.
    """
    return task_text(
        {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(file.resolve())}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{prompt}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "label",
            "target_delimiter": "",
            "num_fewshot": 0,
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": VERSION},
        }
    )
