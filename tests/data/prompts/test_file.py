from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.examples import Example
from fedmezo.data.prompts.file import read_template

GOOD = """# ours
with_input: |-
  Text: {input}
  Task: {instruction} {as json: {}}
  Answer:
without_input: "Task: {instruction}\\nAnswer:"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_bytes(text.encode())
    return folder / "mine.yaml"


def test_a_file_gives_the_two_forms(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, GOOD))
    assert template(Example("Sum up.", "Long.", "", None)) == "Text: Long.\nTask: Sum up. {as json: {}}\nAnswer:"
    assert template(Example("Sing.", "", "", None)) == "Task: Sing.\nAnswer:"
    assert not template.bare and template.ending == ""


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "expected with_input and without_input"),
        ("- {instruction}", 1, "expected with_input and without_input"),
        ("with_input: '{input} {instruction}'", 1, "without_input is missing"),
        (
            GOOD + "with_imput: x",
            7,
            "with_imput: expected with_input and without_input, once each; the nearest is with_input",
        ),
        (GOOD + "with_input: x", 7, "with_input: expected with_input and without_input, once each"),
        ("[a]: x", 1, "expected with_input and without_input, once each"),
        ("with_input:\n  - a", 2, "with_input: expected a text"),
        ("without_input: 3", 1, "without_input: expected a text"),
        (
            "\nwith_input: '{instuction} {input}'",
            2,
            "with_input: expected {instruction} and {input} in the text, found {input}",
        ),
        ("without_input: '{input}'", 1, "without_input: expected {instruction} in the text, found {input}"),
        ("without_input: hello", 1, "without_input: expected {instruction} in the text, found neither"),
        ("with_input: |-\n  a\n b: 'c", 3, "not YAML: "),
        ("a: &x [*x", 1, "not YAML: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        read_template(path)
    assert f"data.prompt = {path}\n    {path}:{line}: " in str(caught.value)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_template(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"with_input: \xe4")
    with pytest.raises(ConfigurationError, match=r"not UTF-8 text \(byte 12\)"):
        read_template(tmp_path / "latin.yaml")
    with pytest.raises(ConfigurationError, match="not YAML"):
        read_template(write(tmp_path, "a: \0"))
