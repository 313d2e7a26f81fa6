"""GSM8K as a task file of lm_eval, over a local file and with a run's own prompt, which stock lm_eval can ask as well.

Answers are judged as lm_eval's own ``gsm8k`` (version 3) judges them: ``strict-match`` takes the number after ``####``,
``flexible-extract`` the last number. A run learns ``The answer is`` in place of ``####``, so that this counts, too.
Unlike lm_eval's, the task has no examples in its prompt, as training has none.
"""

from pathlib import Path
from typing import Any

from fedmezo.data.examples import Example
from fedmezo.data.prompts import Prompt
from fedmezo.evaluation.tasks.yaml_text import task_text

VERSION = 1.0
QUESTION = "{{question}}"
NEXT = ("Question:", "### Instruction:", "</s>", "<|im_end|>")  # where models go on to a question of their own


def gsm8k_task(name: str, file: Path, prompt: Prompt) -> str:
    """Return the text of a task file.

    Args:
        name: of the task.
        file: JSON lines with ``question`` and ``answer``.
        prompt: puts a question to the model.
    """
    endings = [prompt.ending] if prompt.ending and prompt.ending not in NEXT else []
    return task_text(_task(name, file, prompt, [*NEXT, *endings]))


def _task(name: str, file: Path, prompt: Prompt, until: list[str]) -> dict[str, Any]:
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file.resolve())}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": jinja(prompt),
        "doc_to_target": "{{answer}}",
        "num_fewshot": 0,
        "generation_kwargs": {
            "until": until,
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": 256,
        },
        "filter_list": [
            _filter("strict-match", {"regex_pattern": r"(?:####|The answer is) \$?(\-?[0-9\.\,]+)"}),
            _filter("flexible-extract", {"regex_pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "group_select": -1}),
        ],
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "ignore_case": True,
                "ignore_punctuation": False,
                "regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"],
            }
        ],
        "metadata": {"version": VERSION},
    }


def jinja(prompt: Prompt) -> str:
    """Return a prompt as a Jinja template of ``question``."""
    parts = prompt(Example(QUESTION, "", "", None)).split(QUESTION)
    return QUESTION.join(f"{{% raw %}}{part}{{% endraw %}}" if "{" in part else part for part in parts)


def _filter(name: str, regex: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "filter": [{"function": "regex", **regex}, {"function": "take_first"}]}
