import pytest

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.examples import Example
from fedmezo.data.sources.fields import Fields, to_examples
from fedmezo.data.sources.rows import Row

EXPECTED = "expected a text, a number, true or false"


def rows(*values: object) -> list[Row]:
    return [Row(f"f.jsonl:{number}", value) for number, value in enumerate(values, start=1)]


def test_fields_give_the_parts_of_an_example() -> None:
    names = Fields().override({"instruction": "q", "input": "context", "category": "kind"})
    value = {"q": "Why?", "context": "Rain.", "output": "Clouds.", "kind": "weather", "more": 1}
    assert to_examples(rows(value), names, {}) == [Example("Why?", "Rain.", "Clouds.", "weather")]


@pytest.mark.parametrize("absent", [{}, {"input": None, "category": None}, {"input": "", "category": ""}])
def test_input_and_category_may_be_absent(absent: dict[str, str | None]) -> None:
    examples = to_examples(rows({"instruction": "Why?", "output": "", **absent}), Fields(), {})
    assert examples == [Example("Why?", "", "", None)]


def test_malformed_rows_say_what_is_wrong_with_each() -> None:
    good = {"instruction": "i", "output": "o"}
    bad = [
        {"instruction": "i"},
        {"instruction": ["i"], "output": None},
        {**good, "input": ["x"], "category": {}},
        {**good, "output": "\ud800"},
        "text",
        None,
    ]
    with pytest.raises(ResourceError) as caught:
        to_examples(rows(good, *bad), Fields(), {})
    assert str(caught.value).split("\n    ") == [
        "6 of 7 rows are malformed",
        "f.jsonl:2: output is missing",
        f"f.jsonl:3: instruction is a list, {EXPECTED}; output is null, {EXPECTED}",
        f"f.jsonl:4: input is a list, {EXPECTED}; category is an object, {EXPECTED}",
        "f.jsonl:5: output holds half of a surrogate pair",
        "f.jsonl:6: expected an object, found a text",
        "f.jsonl:7: expected an object, found null",
    ]


def test_at_most_ten_malformed_rows_are_listed() -> None:
    values = [{"instruction": "i", "output": "o"}, *({"instruction": "i"} for _ in range(25))]
    with pytest.raises(ResourceError) as caught:
        to_examples(rows(*values), Fields(), {})
    message = str(caught.value)
    assert message.startswith("25 of 26 rows") and message.endswith("and 15 more")
    assert message.count("is missing") == 10


@pytest.mark.parametrize("role", ["category", "input"])
def test_a_named_field_has_to_exist(role: str) -> None:
    named = {role: "languag"}
    value = {"instruction": "i", "output": "o", "language": "Python"}
    with pytest.raises(ResourceError) as caught:
        to_examples(rows(value), Fields().override(named), named)
    assert f"f.jsonl: data.fields.{role} = languag: no row has this field; the nearest is language" in str(caught.value)


def test_a_named_field_that_one_row_has_is_enough_for_a_category() -> None:
    named = {"category": "language"}
    values = [{"instruction": "i", "output": "o"}, {"instruction": "i", "output": "o", "language": "C"}]
    examples = to_examples(rows(*values), Fields().override(named), named)
    assert [example.category for example in examples] == [None, "C"]


def test_an_unknown_role_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"data\.fields\.categry: .*the nearest is category"):
        Fields().override({"categry": "language"})


def test_numbers_and_truth_values_of_the_hub_are_texts() -> None:
    value = {"instruction": 3, "input": 1.5, "output": True, "category": 0}
    assert to_examples(rows(value), Fields(), {}) == [Example("3", "1.5", "true", "0")]
    with pytest.raises(ResourceError, match=f"category is nan, {EXPECTED}"):
        to_examples(rows(value | {"category": float("nan")}), Fields(), {})
