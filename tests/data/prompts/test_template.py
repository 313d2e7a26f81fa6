from fedmezo.data.examples import Example
from fedmezo.data.prompts.alpaca import ALPACA
from fedmezo.data.prompts.template import Template


def test_an_example_with_input_shows_it() -> None:
    text = ALPACA(Example("Add {x}.", "1 {instruction}", "3", None))
    assert text.startswith("Below is an instruction that describes a task, paired with an input that")
    assert text.endswith("### Instruction:\nAdd {x}.\n\n### Input:\n1 {instruction}\n\n### Response:")


def test_an_example_without_input_has_the_short_form() -> None:
    for empty in ("", " \n"):
        text = ALPACA(Example("Sing.", empty, "la", None))
        assert text.startswith("Below is an instruction that describes a task. Write a response")
        assert text.endswith("request.\n\n### Instruction:\nSing.\n\n### Response:")


def test_other_braces_stand_for_themselves_and_what_is_filled_in_is_not_filled_again() -> None:
    template = Template("{x} {{instruction}} {input} {", "{instruction}{}")
    assert template(Example("{input}", "{instruction}", "", None)) == "{x} {{input}} {instruction} {"
    assert template(Example("a", "", "", None)) == "a{}"
