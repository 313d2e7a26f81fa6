"""Files: bases, circles, and what cannot be read."""

from pathlib import Path

import pytest

from fedmezo.config import load
from fedmezo.core.errors import ConfigurationError

from .conftest import Mistakes


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def message_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return str(caught.value)


def test_later_bases_win_mappings_merge_and_lists_replace(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", first="seed: 1\ndevice: 1\ntrain: {optimizer: {lr: 0.5, weight_decay: 0.1}}")
    write(tmp_path / "below", second="_base_: first.yaml\nseed: 2\ndata: {splits: [0.9, 0.1, 0]}")
    write(tmp_path, third="verbose: 3\ndevice: 3")
    write(tmp_path, mine="_base_: [below/second.yaml, third.yaml]\ntrain: {optimizer: {lr: 0.25}}")
    cfg = load(tmp_path / "mine.yaml")
    assert (cfg.seed, cfg.device, cfg.verbose) == (2, 3, 3)
    assert (cfg.train.optimizer.lr, cfg.train.optimizer.weight_decay) == (0.25, 0.1)
    assert cfg.data.splits == (0.9, 0.1, 0.0)


def test_a_mistake_in_a_base_has_the_base_as_its_place_and_is_told_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        root="\nseed: x",
        a="_base_: root.yaml",
        b="_base_: root.yaml",
        mine="_base_: [a.yaml, b.yaml]",
    )
    message = message_of(tmp_path / "mine.yaml")
    assert message.startswith("1 mistake ")
    assert f"{tmp_path}/root.yaml:2  seed = x" in message


def test_circles_are_found(tmp_path: Path) -> None:
    write(tmp_path, a="seed: 1\n_base_: b.yaml", b="_base_: a.yaml", self="_base_: self.yaml")
    message = message_of(tmp_path / "a.yaml")
    assert f"{tmp_path}/b.yaml:1  _base_ = a.yaml" in message
    assert "a.yaml is a circle" in message
    assert "is a circle" in message_of(tmp_path / "self.yaml")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("comon.yaml", "no such file; the nearest is common.yaml"),
        ("'.'", "cannot be read"),
        ('"\\0"', "expected text without null characters"),
        ("3", "expected text"),
        ("{a: b}", "expected text"),
    ],
)
def test_a_base_that_cannot_be_read_is_reported_in_its_line(tmp_path: Path, base: str, expected: str) -> None:
    write(tmp_path, common="", mine=f"seed: 1\n_base_: {base}\ndevice: x")
    message = message_of(tmp_path / "mine.yaml")
    assert message.startswith("2 mistakes")
    assert "mine.yaml:2  _base_" in message
    assert expected in message


def test_a_missing_file_is_reported_with_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, quickstart="")
    message = message_of(tmp_path / "quickstar.yaml")
    assert f"  {tmp_path}/quickstar.yaml\n      no such file; the nearest is quickstart.yaml" in message


def test_a_folder_and_bytes_are_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"seed: \xff\xfe")
    assert "cannot be read" in message_of(tmp_path)
    assert "is not text in UTF-8" in message_of(tmp_path / "bytes.yaml")


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xef\xbb\xbfseed: 5")
    assert load(tmp_path / "mine.yaml").seed == 5


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("seed: 1\n\tdevice: 2", 2, "found character '\\t'"),
        ("seed: 1\ndata: [1, 2", 2, "expected ',' or ']'"),
        ("seed: 1\n---\nseed: 2", 2, "another document"),
        ("seed: 1\nexpname: \x07", 2, "special characters are not allowed"),
        ("\nllm: {adapter: {args: " + "[" * 5000, 2, "nested too deeply"),
        ("a: &a [*a]", 1, "an alias may stand for a single value only"),
        ("a: &a [1]\nb: *a", 2, "an alias may stand for a single value only"),
        ("seed: *nothing", 1, "undefined alias"),
        ("- seed", 1, "expected a mapping of keys"),
        ("seed", 1, "expected a mapping of keys"),
        ("? [a]\n: 1", 1, "a key is a single word"),
        ("<<: {seed: 1}", 1, "merge keys are not supported"),
        ("!!python/object:x {seed: 1}", 1, "expected a mapping of keys"),
    ],
)
def test_what_is_not_a_configuration_is_reported_in_its_line(
    mistakes: Mistakes, text: str, line: int, expected: str
) -> None:
    message = mistakes(text)
    assert f"my.yaml:{line}" in message
    assert expected in message


def test_a_base_belongs_in_a_file(mistakes: Mistakes) -> None:
    assert "command line  _base_ = x.yaml\n      belongs in a file" in mistakes("", "_base_", "x.yaml")


def test_nothing_of_a_file_is_executed(mistakes: Mistakes, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    call = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]"
    message = mistakes(f"seed: {call}\nllm: {{adapter: {{args: [{{x: {call}}}]}}}}\n{call}: 1", "seed", call)
    assert message.startswith("4 mistakes")
    assert not mark.exists()
