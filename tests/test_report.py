"""``python -m fedmezo.report``: where it writes, and what it refuses."""

from pathlib import Path

import pytest

from fedmezo.report import main


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with two runs that were stopped as they began."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").write_text("seed: 1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["runs/one"], "runs/one/report.html"),
        (["runs/one", "runs/two"], "report.html"),
        (["runs/one", "--out", "runs/mine.html"], "runs/mine.html"),
    ],
)
def test_the_last_line_says_where_it_is(
    bare: Path, arguments: list[str], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith(f"report: {place} (")
    assert "one: unfinished: 0 of 500 rounds done" in said.out and "one: ledger.bin is missing" in said.err
    assert (bare / place).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert main(arguments) == 0  # another report takes its place


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["runs/none"], 3, "runs/none\n    there is no run in this folder (no config.yaml)"),
        (["runs/one", "runs"], 3, "runs\n    there is no run in this folder"),
        (["runs/one", "--out", "runs/one/config.yaml"], 2, "expected the name of a page, as in runs/one/config.html"),
        (["runs/one", "--out", "runs/one"], 2, "expected the name of a page"),
        (["runs/one", "--out", "nowhere/r.html"], 2, "there is no folder nowhere"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    bare: Path, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in bare.rglob("*") if path.is_file()}
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert before == {path: path.read_bytes() for path in bare.rglob("*") if path.name != ".lock" and path.is_file()}
