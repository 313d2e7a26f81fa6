from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from tokenizers.decoders import ByteLevel
from transformers import PreTrainedTokenizerFast

from fedmezo.errors import ResourceError
from fedmezo.models.tokenizers import ByteTokenizer, PretrainedTokenizer


def bpe(corpus: Sequence[str] = ("low lower lowest",), closing: str = "") -> PreTrainedTokenizerFast:
    """Return a small byte-level BPE that opens every sequence with <s>, and closes it with ``closing``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"<s> $A {closing}".strip(), special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def test_fingerprints_agree_exactly_where_the_tokens_do() -> None:
    fingerprint = PretrainedTokenizer(bpe()).fingerprint
    assert PretrainedTokenizer(bpe()).fingerprint == fingerprint
    assert PretrainedTokenizer(bpe(["high higher highest"])).fingerprint != fingerprint
    assert PretrainedTokenizer(bpe(closing="</s>")).fingerprint != fingerprint


def test_a_fingerprint_survives_use() -> None:
    source = bpe()
    tokenizer = PretrainedTokenizer(source)
    tokenizer.encode(["low", "lower than low"], special=True)
    assert PretrainedTokenizer(source).fingerprint == tokenizer.fingerprint


def test_a_closing_eos_of_the_tokenizers_own_is_left_out() -> None:
    texts = ["low", "lowest of all", ""]
    plain, closing = PretrainedTokenizer(bpe()), PretrainedTokenizer(bpe(closing="</s>"))
    assert bpe(closing="</s>")(texts[0])["input_ids"][-1] == closing.eos_id
    assert closing.encode(texts, special=True) == plain.encode(texts, special=True)
    assert [row[0] for row in closing.encode(texts, special=True)] == [0, 0, 0]
    assert closing.encode(texts, special=False) == [row[1:] for row in plain.encode(texts, special=True)]


def test_padding_falls_back_to_the_end_of_text() -> None:
    source = bpe()
    assert PretrainedTokenizer(source).pad_id == PretrainedTokenizer(source).eos_id == 1
    source.pad_token = "<pad>"
    assert PretrainedTokenizer(source).pad_id == 2


@given(st.text())
def test_pretrained_tokens_spell_the_text(text: str) -> None:
    tokenizer = PRETRAINED
    (ids,) = tokenizer.encode([text], special=True)
    assert tokenizer.decode([*ids, tokenizer.eos_id]) == text


PRETRAINED = PretrainedTokenizer(bpe())


@given(st.lists(st.text(), max_size=4), st.booleans())
def test_bytes_spell_the_text(texts: list[str], special: bool) -> None:
    tokenizer = ByteTokenizer()
    rows = tokenizer.encode(texts, special=special)
    assert [tokenizer.decode([*row, tokenizer.eos_id, tokenizer.pad_id]) for row in rows] == texts
    assert [row[:1] == [tokenizer.bos_id] for row in rows] == [special] * len(texts)
    assert all(0 <= token < tokenizer.vocab_size for row in rows for token in row)


def test_bytes_that_spell_nothing_are_replaced() -> None:
    assert ByteTokenizer().decode([0xFF, ord("a")]) == "\ufffda"


def test_a_tokenizer_without_an_end_of_text_is_refused() -> None:
    endless = bpe()
    endless.eos_token = None
    with pytest.raises(ResourceError, match="no end-of-sequence token"):
        PretrainedTokenizer(endless)
