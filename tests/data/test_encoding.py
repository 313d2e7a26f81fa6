from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.encoding import EncodedExamples, encode
from fedmezo.data.examples import Example
from fedmezo.data.prompts.template import Template
from tests.data.conftest import ByteTokenizer

BARE = Template("{instruction}{input}", "{instruction}")
TEXTS = st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=12)


def examples(*pairs: tuple[str, str]) -> list[Example]:
    return [Example(instruction, "", output, None) for instruction, output in pairs]


def same(first: EncodedExamples, second: EncodedExamples) -> bool:
    names = ("flat", "offsets", "prompt_lengths", "whole_lengths")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


@settings(max_examples=100)
@given(pairs=TEXTS, tok_len=st.integers(1, 40))
def test_sequences_are_prompt_response_and_end_cut_at_the_limit(pairs: list[tuple[str, str]], tok_len: int) -> None:
    whole = [[256, *prompt.encode(), *response.encode(), 257] for prompt, response in pairs]
    lengths = [1 + len(prompt.encode()) for prompt, _ in pairs]
    expected = [index for index, length in enumerate(lengths) if length < tok_len]
    if not expected:
        with pytest.raises(ResourceError, match=f"llm.tok_len = {tok_len}: cuts off every response"):
            encode(examples(*pairs), ByteTokenizer(), BARE, tok_len, None)
        return
    encoded, kept = encode(examples(*pairs), ByteTokenizer(), BARE, tok_len, None)
    assert kept.tolist() == expected and len(encoded) == len(expected)
    for position, index in enumerate(expected):
        assert encoded.tokens(position).tolist() == whole[index][:tok_len]
        assert encoded.prompt_lengths[position] == lengths[index]
        assert encoded.whole_lengths[position] == len(whole[index])
        assert encoded.cut[position] == (len(whole[index]) > tok_len)
        assert encoded.num_labels(position) == min(len(whole[index]), tok_len) - lengths[index] > 0


def test_types_are_as_documented(tokenizer: ByteTokenizer) -> None:
    encoded, kept = encode(examples(("a", "b")), tokenizer, BARE, 10, None)
    assert [array.dtype for array in (encoded.flat, encoded.offsets, encoded.prompt_lengths, kept)] == [
        np.int32,
        np.int64,
        np.int32,
        np.int64,
    ]


def test_batches_give_what_single_texts_give(tokenizer: ByteTokenizer) -> None:
    pairs = [(f"question {n}", f"answer {n}") for n in range(2100)]
    encoded, kept = encode(examples(*pairs), tokenizer, BARE, 100, None)
    assert len(kept) == 2100
    assert bytes(encoded.tokens(2099)[1:-1].tolist()) == b"question 2099answer 2099"


def test_the_cache_gives_the_same_without_the_tokenizer(tmp_path: Path) -> None:
    pairs = examples(("a", "long answer"), ("too long a question", "x"), ("c", ""))
    first, second = ByteTokenizer(), ByteTokenizer()
    encoded, kept = encode(pairs, first, BARE, 8, tmp_path)
    again, kept_again = encode(pairs, second, BARE, 8, tmp_path)
    assert (first.num_encoded, second.num_encoded) == (6, 0)
    assert same(encoded, again) and np.array_equal(kept, kept_again)
    assert kept.tolist() == [0, 2]


@pytest.mark.parametrize("changed", ["text", "boundary", "fingerprint", "tok_len", "prompt"])
def test_whatever_the_tokens_depend_on_has_its_own_cache_file(tmp_path: Path, changed: str) -> None:
    encode(examples(("ab", "c"), ("d", "e")), ByteTokenizer(), BARE, 9, tmp_path)
    pairs = {"text": (("ab", "c"), ("d", "f")), "boundary": (("a", "bc"), ("d", "e"))}.get(
        changed, (("ab", "c"), ("d", "e"))
    )
    tokenizer = ByteTokenizer("other" if changed == "fingerprint" else "bytes")
    prompt = Template("", "Q: {instruction}") if changed == "prompt" else BARE
    encode(examples(*pairs), tokenizer, prompt, 8 if changed == "tok_len" else 9, tmp_path)
    assert tokenizer.num_encoded == 4
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped"])
def test_a_damaged_cache_file_is_rebuilt(tmp_path: Path, damage: str) -> None:
    pairs = examples(("question", "answer"))
    whole, _ = encode(pairs, ByteTokenizer(), BARE, 50, tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    flipped = content[:-4] + bytes([content[-4] ^ 1]) + content[-3:]
    path.write_bytes({"empty": b"", "truncated": content[:-5], "flipped": flipped}[damage])
    tokenizer = ByteTokenizer()
    again, _ = encode(pairs, tokenizer, BARE, 50, tmp_path)
    assert tokenizer.num_encoded == 2
    assert same(whole, again)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    encoded, _ = encode(examples(("a", "b")), ByteTokenizer(), BARE, 9, tmp_path / "file")
    assert len(encoded) == 1 and "the cache of encoded data cannot be written" in caplog.text
