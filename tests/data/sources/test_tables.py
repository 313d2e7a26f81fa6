"""Rows of tables: TSV, CSV and Parquet."""

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.sources.rows import read_rows


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


def test_a_tsv_file_names_lines_and_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'sentence\tlabel\r\n"so\t1\r\n\r\nit goes\t0\n')
    assert [(row.place, row.value) for row in read_rows(path)] == [
        (f"{path}:2", {"sentence": '"so', "label": "1"}),
        (f"{path}:4", {"sentence": "it goes", "label": "0"}),
    ]


def test_a_csv_file_names_the_line_that_a_row_ends_on(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"a, ""b""\nand c",1\nd,0\n')
    assert [(row.place, row.value) for row in read_rows(path)] == [
        (f"{path}:3", {"text": 'a, "b"\nand c', "label": "1"}),
        (f"{path}:4", {"text": "d", "label": "0"}),
    ]


@settings(max_examples=40)
@given(values=st.lists(st.tuples(st.text(max_size=8), st.integers(-(2**40), 2**40)), min_size=1, max_size=5))
def test_a_parquet_file_keeps_types(values: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    texts, labels = zip(*values, strict=True)
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": list(texts), "label": list(labels)}), path)
    rows = read_rows(path)
    assert [row.value for row in rows] == [{"text": text, "label": label} for text, label in values]
    assert rows[0].place == f"{path}: row 1"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "text\tlabel\na\t1\nb\n", r"a.tsv:3, column 2: found 1 columns, expected 2 \(text, label\)"),
        ("a.tsv", "text\tlabel\na\t1\tb\n", "a.tsv:2, column 3: found 3 columns, expected 2"),
        ("a.csv", "text,label\na,1\nb,0,\n", "a.csv:3, column 3: found 3 columns"),
        ("a.tsv", "text\ttext\na\t1\n", "a.tsv:1, column 2: text is named twice"),
        ("a.csv", 'text,label\n"a" b,1\n', "a.csv:2: not valid CSV: "),
        ("a.csv", 'text,label\n"a,1\n', "a.csv:2: not valid CSV: unexpected end of data"),
        ("a.tsv", "text\tlabel\n", "a.tsv: the file holds no rows"),
        ("a.csv", "", "a.csv: the file holds no rows"),
        ("a.parquet", "PAR1", "a.parquet: not a Parquet file that can be read: "),
    ],
)
def test_what_is_wrong_with_a_table_is_told_with_line_and_column(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    with pytest.raises(ResourceError, match=expected):
        read_rows(write(tmp_path, name, content))
