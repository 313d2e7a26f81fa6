"""Properties over generated configurations."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import assume, example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from fedmezo.config import dump, load, to_dict
from fedmezo.config.tree import plain
from fedmezo.core.errors import ConfigurationError
from tests.example_counts import examples

from .strategies import FREE, nested, settings


def load_from(text: str, *overrides: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, overrides)


@given(settings())
@limits(max_examples=examples(60, least=10), deadline=None)
def test_a_dump_loads_to_an_equal_tree(flat: dict[str, Any]) -> None:
    try:
        cfg = load_from(yaml.safe_dump(nested(flat)))
    except ConfigurationError as error:
        assert "expected" not in str(error), "each value is fine alone, so only contradictions are left"
        assume(False)
    again = load_from(dump(cfg))
    assert again == cfg
    assert dump(again) == dump(cfg)


@given(FREE)
@example("\x85\u2028")
@limits(max_examples=examples(60), deadline=None)
def test_free_arguments_survive_the_way_to_a_file_and_back(value: Any) -> None:
    first = load_from(yaml.safe_dump(nested({"llm.adapter.args": [{"rank_pattern": {"free": value}}]})))
    second = load_from(dump(first))
    assert second.llm.adapter.args == first.llm.adapter.args
    assert to_dict(second)["llm"]["adapter"]["args"] == plain(first.llm.adapter.args)


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
@limits(max_examples=examples(60), deadline=None)
def test_numbers_are_exact_however_they_are_written(rate: float) -> None:
    for text in (repr(rate), f"'{rate!r}'", f"{rate:.17e}"):
        assert load_from("", "train.optimizer.lr", text).train.optimizer.lr == rate


BASE = yaml.safe_dump(
    nested(
        {
            "seed": 1,
            "_base_": [],
            "data.splits": [0.9, 0.05, 0.05],
            "data.splitter": "lda",
            "data.splitter_args": [{"alpha": 0.5}],
            "llm.adapter.args": [{"r": 8, "target_modules": ["q", "v"]}],
            "train.optimizer.lr": 0.1,
            "train.optimizer.betas": "(0.9, 0.99)",
        }
    )
)
ALPHABET = st.sampled_from("ab1.-+e_ \n\t:,[]{}()'\"#&*!|>%@`~?<\0\x85\ufeff\U0001d4b3\\")


@given(st.data())
@limits(max_examples=examples(250), deadline=None)
def test_a_mutated_file_loads_or_is_refused(data: st.DataObject) -> None:
    text = BASE
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.text(ALPHABET, max_size=4)) + text[end:]
    answered(text)


@given(
    st.lists(
        st.text(ALPHABET, max_size=6) | st.sampled_from(["seed", "data.splits", "train.optimizer"]),
        max_size=4,
    )
)
@limits(max_examples=examples(150), deadline=None)
def test_any_command_line_loads_or_is_refused(words: list[str]) -> None:
    answered("", *words)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.data())
@limits(max_examples=examples(100), deadline=None)
def test_any_value_of_any_key_loads_or_is_refused(value: Any, data: st.DataObject) -> None:
    flat = data.draw(settings()) | {
        data.draw(st.sampled_from(["seed", "eval.split", "llm.adapter.args", "data"])): value
    }
    try:
        text = yaml.safe_dump(nested(flat))
    except (TypeError, AttributeError):  # a key of the section `data` beside a value for it
        assume(False)
    answered(text)


def answered(text: str, *overrides: str) -> None:
    """Assert that the answer is a complete tree or a message with a place for every mistake."""
    try:
        cfg = load_from(text, *overrides)
    except ConfigurationError as error:
        heading, *lines = str(error).splitlines()
        assert heading.endswith(" in the configuration")
        assert any("generated.yaml" in line or "command line" in line for line in lines)
    else:
        assert load_from(dump(cfg)) == cfg
