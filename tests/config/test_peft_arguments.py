"""Kinds of values in words, and the arguments of methods from the user's own files."""

from pathlib import Path

import pytest

from fedmezo.config.peft_arguments import Modules, OnlyTrue, kind_of
from fedmezo.config.types import Arguments, Choice, FieldType, Integer, ListOf, Nullable, Number
from tests.config.conftest import Load, Mistakes

ROW = """
raise SystemExit("this file was run")
from fedmezo.models.adapters.methods import Method, register
@register("mine")
class Mine(Method):
    config = "peft.LoraConfig"
    arguments = {"r": "integer >= 1", "target_modules": "modules", "lora_dropout": "number >= 0 < 1"}
    defaults = {"r": 8}
"""


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("integer >= 1", Integer(low=1)),
        ("number > 0 <= 2.5", Number(above=0, high=2.5)),
        ("number >= 0 < 1 or null", Nullable(Number(low=0, below=1))),
        ("one of none, all", Choice(("none", "all"))),
        ("list of pair of integer >= 0", ListOf(ListOf(Integer(low=0), least=2, most=2))),
        ("one or more integer or null", Nullable(ListOf(Integer(), least=1))),
        ("mapping", Arguments()),
    ],
)
def test_a_kind_in_words(words: str, kind: FieldType) -> None:
    assert kind_of(words) == kind


def test_kinds_of_their_own() -> None:
    assert isinstance(kind_of("modules"), Modules) and isinstance(kind_of("true"), OnlyTrue)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("intger >= 1", "; the nearest is integer"),
        ("integer >= one", ""),
        ("integer => 1", ""),
        ("integer >=", ""),
        ("text < 3", ""),
        ("", ""),
    ],
)
def test_words_that_say_no_kind(words: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"'{words}' is no kind of value.*{hint}"):
        kind_of(words)


def row(folder: Path, source: str = ROW) -> str:
    (folder / "own.py").write_text(source, encoding="utf-8")
    return str(folder / "own.py")


def test_a_row_of_the_users_is_read_without_running_it(tmp_path: Path, load_text: Load) -> None:
    cfg = load_text("", "extensions", row(tmp_path), "llm.adapter.args", "[{adapter_method: mine, r: 4}]")
    assert cfg.llm.adapter.args == ({"adapter_package": "peft", "adapter_method": "mine", "r": 4},)


def test_a_row_that_does_not_say_takes_any_arguments(tmp_path: Path, load_text: Load) -> None:
    source = "\n".join(line for line in ROW.splitlines() if "arguments" not in line)
    cfg = load_text("", "extensions", row(tmp_path, source), "llm.adapter.args", "[{adapter_method: mine, any: 1e-2}]")
    assert cfg.llm.adapter.args[0]["any"] == 0.01


@pytest.mark.parametrize(
    ("given", "change", "expected"),
    [
        ("r: 0", ("", ""), "r = 0: expected an integer >= 1"),
        ("rr: 4", ("", ""), "rr = 4: no such argument; there are adapter_package, adapter_method, r, target_modules"),
        ("lora_dropout: 1", ("", ""), "lora_dropout = 1: expected a number >= 0 and < 1"),
        ("target_modules: 7", ("", ""), "target_modules = 7: expected text"),
        ("r: 4", ("integer", "intger"), "arguments of mine: 'intger >= 1' is no kind of value; the nearest is integer"),
        ("r: 4", ('"integer >= 1"', "1"), "arguments of mine: "),
        (
            "r: 4",
            ('"mine"', '"mined"'),
            "p-tuning, prefix, prompt, vera, mined; the nearest is mined",
        ),
        ("r: 4", ('"mine"', '"LoRA"'), "own.py:4: LoRA is one of the package's own names; choose another"),
    ],
)
def test_what_a_row_does_not_allow_is_told(
    given: str, change: tuple[str, str], expected: str, tmp_path: Path, mistakes: Mistakes
) -> None:
    path = row(tmp_path, ROW.replace(*change) if change[0] else ROW)
    message = mistakes("", "extensions", path, "llm.adapter.args", f"[{{adapter_method: mine, {given}}}]")
    assert "llm.adapter.args = " in message and expected in message
