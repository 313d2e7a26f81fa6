import random
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.data.encoding import encode
from fedmezo.data.examples import Example
from fedmezo.data.prompts.chat import ChatPrompt
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.prompts.template import Template
from fedmezo.models.hubs import load_base_model
from fedmezo.models.tokenizers import ByteTokenizer as OwnBytes
from fedmezo.models.tokenizers import PretrainedTokenizer
from tests.data.conftest import ByteTokenizer
from tests.models.test_tokenizers import bpe

# as Llama 2 and its relatives write it: the leading token is in the template, and the end of text ends a turn
TEMPLATE = (
    "{{ bos_token }}{% for turn in messages %}{% if turn.role == 'user' %}[{{ turn.content }}]"
    "{% else %} {{ turn.content }} {{ eos_token }}\n{% endif %}{% endfor %}"
)
ASKED = Example("low", "", "lower", None)


def chatting(template: str | None = TEMPLATE) -> PretrainedTokenizer:
    tokenizer = bpe()
    tokenizer.chat_template = template
    return PretrainedTokenizer(tokenizer)


def test_a_prompt_is_the_users_turn_up_to_the_reply() -> None:
    prompt = make_prompt("chat", ByteTokenizer())
    assert prompt(ASKED) == "<s>Q:low\nA:"
    assert prompt(Example("low", "est", "", None)) == "<s>Q:low\n\nest\nA:"
    assert prompt(Example("low", " \n", "", None)) == "<s>Q:low\nA:"


def test_a_response_ends_with_the_turn_and_no_special_token_is_doubled() -> None:
    tokenizer = chatting()
    encoded, _ = encode([ASKED], tokenizer, ChatPrompt(tokenizer), 100, None)
    whole = tokenizer.encode(["<s>[low]lower </s>"], special=False)[0]
    assert encoded.tokens(0).tolist() == whole
    assert whole.count(0) == whole.count(tokenizer.eos_id) == 1
    head = encoded.prompt_lengths[0]
    assert tokenizer.decode(whole[:head]) == "[low]" and tokenizer.decode(whole[head:]) == "lower "


def test_what_follows_the_end_of_the_turn_is_not_learnt(tokenizer: ByteTokenizer) -> None:
    encoded, _ = encode([ASKED], tokenizer, ChatPrompt(tokenizer), 100, None)
    head = encoded.prompt_lengths[0]
    assert bytes(encoded.tokens(0)[head:].tolist()) == b"lower</turn>"  # no line break, no second end
    assert encoded.tokens(0)[0] == ord("<")  # no leading token before that of the template


def test_a_template_that_ends_no_turn_leaves_the_end_to_the_end_of_text() -> None:
    tokenizer = chatting("{% for turn in messages %}{{ turn.content }}{% endfor %}")
    encoded, _ = encode([ASKED], tokenizer, ChatPrompt(tokenizer), 100, None)
    assert encoded.tokens(0)[-1] == tokenizer.eos_id


def test_the_cache_sees_the_template(tmp_path: Path) -> None:
    for template in (TEMPLATE, TEMPLATE.replace("[", "("), TEMPLATE.replace(" {{ eos_token }}", "{{ eos_token }}")):
        tokenizer = chatting(template)
        encode([ASKED], tokenizer, ChatPrompt(tokenizer), 100, tmp_path)
    # the same texts, but with the tokenizer's leading token
    encode([ASKED], chatting(), Template("", "<s>[{instruction}]", ending=" </s>"), 100, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


@pytest.mark.parametrize("tokenizer", [OwnBytes(), chatting(None)], ids=["bytes", "pretrained"])
def test_a_model_without_a_template_says_so(tokenizer: OwnBytes | PretrainedTokenizer) -> None:
    with pytest.raises(ConfigurationError, match=r"no chat template; use data\.prompt alpaca"):
        make_prompt("chat", tokenizer)


def test_a_template_without_the_reply_says_so() -> None:
    with pytest.raises(ConfigurationError, match="leaves out what the assistant says"):
        make_prompt("chat", chatting("{{ messages[0].content }}"))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ strftime_now('%Y-%m-%d %H:%M:%S.%f') }}", "2025-03-01 00:00:00.000000"),
        (
            "{% set today = strftime_now('%d %b %Y') %}{% macro say() %}{{ today }}{% endmacro %}{{ say() }}",
            "01 Mar 2025",
        ),
        ("{{ date_string }}", "01 Mar 2025"),
    ],
)
def test_a_template_shows_the_day_that_it_is_given(template: str, words: str) -> None:
    assert chatting(template).chat("low", day=date(2025, 3, 1)) == words


def test_without_a_day_a_template_looks_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    dated = chatting("{{ date_string }}, {{ strftime_now('%Y') }}")
    assert dated.chat("low", day=date(1999, 1, 1)) == "01 Jan 1999, 1999"
    assert dated.chat("low").startswith("26 Jul 2024, 20")


def test_what_a_template_draws_is_the_same_each_time_and_nobody_elses() -> None:
    drawing = chatting("{{ range(100000) | random }} {{ lipsum(1) }}")
    random.seed(5)
    first = drawing.chat("low")
    after = random.random()
    random.seed(5)
    assert random.random() == after and drawing.chat("low") == first


@pytest.mark.smollm2
def test_smollm2_learns_to_end_its_turn() -> None:
    name = "SmolLM2-135M-Instruct@package_llm"
    tokenizer = load_base_model(name, dtype=torch.float32, cache=cache_folder()).tokenizer
    encoded, _ = encode([Example("Hi", "", "Hello", None)], tokenizer, ChatPrompt(tokenizer), 100, None)
    tokens = encoded.tokens(0)
    assert tokens[-1] == tokenizer.eos_id and np.count_nonzero(tokens == tokenizer.eos_id) == 3
    assert tokenizer.decode(tokens[encoded.prompt_lengths[0] :].tolist()) == "Hello"
