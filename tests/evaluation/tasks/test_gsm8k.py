import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from lm_eval.utils import apply_template

from fedmezo.data.examples import Example
from fedmezo.data.prompts import Prompt
from fedmezo.data.prompts.alpaca import ALPACA
from fedmezo.data.prompts.chat import ChatPrompt
from fedmezo.data.prompts.template import Template
from fedmezo.evaluation.tasks.gsm8k import gsm8k_task, jinja

FORM = "{ {instruction}{% set x = 1 %} {{ braces }} {# no note #}\n{instruction}\n"


class Chat:
    """A tokenizer with a chat template."""

    has_chat = True

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        return f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n" + (
            f"{assistant}<END>\n" if assistant else ""
        )


PROMPTS: list[Prompt] = [ALPACA, Template("", FORM), ChatPrompt(Chat())]


@pytest.mark.parametrize("prompt", PROMPTS, ids=["alpaca", "file", "chat"])
@given(question=st.text(min_size=1))
def test_a_question_is_put_as_in_training(prompt: Prompt, question: str) -> None:
    assume(question.strip())  # a chat has no turn without words
    assert apply_template(jinja(prompt), {"question": question}) == prompt(Example(question, "", "", None))


def test_the_file_is_the_task_whatever_the_prompt_holds(tmp_path: Path) -> None:
    for prompt in PROMPTS:
        content = yaml.safe_load(gsm8k_task("gsm8k_local", tmp_path / "test.jsonl", prompt))
        assert content["doc_to_text"] == jinja(prompt) and content["task"] == "gsm8k_local"
        assert content["dataset_kwargs"] == {"data_files": {"test": str(tmp_path / "test.jsonl")}}
        assert content["generation_kwargs"]["do_sample"] is False
        assert (prompt.ending in content["generation_kwargs"]["until"]) is bool(prompt.ending)
        json.dumps(content)
