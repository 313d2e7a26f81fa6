import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.sources.rows import read_rows


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_line_file_names_lines_and_skips_blank_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"a": 1}\n\n  \n{"a": 2}\n')
    assert [(row.place, row.value) for row in read_rows(path)] == [
        (f"{path}:1", {"a": "1"}),
        (f"{path}:4", {"a": "2"}),
    ]


def test_an_array_file_names_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", '[{"a": 1},\n {"a": 2}]')
    assert [row.place for row in read_rows(path)] == [f"{path}: row 1", f"{path}: row 2"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_byte_order_mark_is_accepted(tmp_path: Path, name: str) -> None:
    content = '[{"a": 1}]' if name == "a.json" else '{"a": 1}'
    assert read_rows(write(tmp_path, name, b"\xef\xbb\xbf" + content.encode()))[0].value == {"a": "1"}


@settings(max_examples=60)
@given(values=st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3), min_size=1))
def test_any_text_survives_both_formats(values: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rows")
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    array = json.dumps(values, ensure_ascii=False)
    assert [row.value for row in read_rows(write(folder, "a.jsonl", lines))] == values
    assert [row.value for row in read_rows(write(folder, "a.json", array))] == values


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"a": 1}\n{"a" 1}', "a.jsonl:2, column 6: not valid JSON: Expecting ':' delimiter"),
        ("a.json", '[{"a": 1},\n {"a" 1}]', "a.json:2, column 7: not valid JSON: Expecting ':' delimiter"),
        (
            "a.json",
            '{"a": 1}\n{"a": 2}',
            "a.json:2, column 1: not valid JSON: Extra data; a file of one object",
        ),
        ("a.json", '{"a": 1}', "a.json: expected a list of objects, found an object"),
        ("a.json", "[]", "a.json: the file holds no rows"),
        ("a.json", " ", "a.json: the file holds no rows"),
        ("a.jsonl", "\n \n", "a.jsonl: the file holds no rows"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}', "a.jsonl:2: not UTF-8 text (byte 16 of the file)"),
        ("a.jsonl", gzip.compress(b'{"a": 1}', mtime=0), "a.jsonl: packed (gzip), expected text; unpack it first"),
        ("a.jsonl", '{"a": 1}\n{"a": 1},', "a.jsonl:2, column 9: not valid JSON: Extra data"),
        ("a.json", "[" * 200_000, "a.json:1: nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, name: str, content: str | bytes, expected: str) -> None:
    with pytest.raises(ResourceError) as caught:
        read_rows(write(tmp_path, name, content))
    assert f"{tmp_path}/{expected}" in str(caught.value)


def test_a_missing_file_is_a_resource_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be read: No such file"):
        read_rows(tmp_path / "none.json")
