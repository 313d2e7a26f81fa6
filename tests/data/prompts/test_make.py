"""What every registered prompt keeps, and prompts of the user's own."""

from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import import_extensions
from fedmezo.data.encoding import encode
from fedmezo.data.examples import Example
from fedmezo.data.prompts import Prompt, registry
from fedmezo.data.prompts.make import make_prompt
from tests.data.conftest import ByteTokenizer
from tests.guides.test_extending import blocks

SOURCE = """
from fedmezo.data.prompts import register
@register("mine")
class Mine:
    bare = False
    ending = ""
    def __init__(self, tokenizer, day):
        self.day = day
    def __call__(self, example):
        return example.instruction
"""
ASKED = Example("low", "est", "lower", None)
names = pytest.mark.parametrize("name", registry.names())
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


@names
def test_it_puts_instruction_and_input_and_not_the_response(name: str) -> None:
    prompt = make_prompt(name, ByteTokenizer())
    text = prompt(Example("INSTRUCTION", "INPUT", "RESPONSE", "CATEGORY"))
    assert text.index("INSTRUCTION") < text.index("INPUT")
    assert "RESPONSE" not in text and "CATEGORY" not in text
    assert isinstance(prompt.bare, bool) and isinstance(prompt.ending, str)


@names
def test_it_is_a_function_of_the_example(name: str) -> None:
    texts = {make_prompt(name, ByteTokenizer())(ASKED) for _ in range(2)}
    assert len(texts) == 1
    assert make_prompt(name, ByteTokenizer())(Example("low", " \n", "", None)) not in texts


def made(folder: Path, source: str, name: str = "mine") -> tuple[Path, Prompt]:
    path = folder / "own.py"
    path.write_text(source, encoding="utf-8")
    import_extensions([str(path)])
    return path, make_prompt(name, ByteTokenizer())


def test_the_guides_prompt_is_what_is_encoded(tmp_path: Path, tokenizer: ByteTokenizer) -> None:
    _, prompt = made(tmp_path, blocks("A prompt", "python")[0], "questions")
    encoded, _ = encode([ASKED, Example("Why?", " ", "So.", None)], tokenizer, prompt, 100, None)
    cuts = [(encoded.tokens(i).tolist(), encoded.prompt_lengths[i]) for i in (0, 1)]
    heads, tails = zip(*(("".join(map(chr, row[:cut])), bytes(row[cut:])) for row, cut in cuts), strict=True)
    assert heads[0].endswith("est\nQuestion: low\nAnswer:") and heads[1].endswith("Question: Why?\nAnswer:")
    assert tails == (b"lower\n", b"So.\n")


def test_a_function_does_as_well(tmp_path: Path) -> None:
    source = """
from fedmezo.data.prompts import register
from fedmezo.data.prompts.template import Template
@register("mine")
def mine(tokenizer, day):
    return Template("{input}|{instruction}", "{instruction}")
"""
    assert made(tmp_path, source)[1](ASKED) == "est|low"


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("    bare = False\n", "", 3, "it gives Mine with bare = None and ending = ''"),
        ('ending = ""', "ending = None", 3, "bare = False and ending = None, expected a callable with"),
        ("__call__", "call", 3, "expected a callable"),
        ("self, tokenizer, day", "self, tokenizer", 7, "takes 2 positional arguments but 3 were given"),
        ("    def __init__(self, tokenizer, day):\n        self.day = day\n", "", 3, "takes no arguments"),
        ("example.instruction", "None", 9, "the prompt returned NoneType, expected a text"),
    ],
)
def test_what_does_not_do_is_told_with_its_line(before: str, after: str, line: int, words: str, tmp_path: Path) -> None:
    assert before in SOURCE
    with pytest.raises(ConfigurationError) as caught:
        made(tmp_path, SOURCE.replace(before, after))[1](ASKED)
    assert words in str(caught.value) and f"{tmp_path / 'own.py'}:{line}\n" in str(caught.value)


def test_an_unknown_prompt_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"expected alpaca, chat, .*; the nearest is chat"):
        make_prompt("chatt", ByteTokenizer())
