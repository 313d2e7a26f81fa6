from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from tokenizers.decoders import ByteLevel
from transformers import PreTrainedTokenizerFast

from fedmezo.models.tokenizers import ByteTokenizer, PretrainedTokenizer, complete
from tests.models.tiny import FAMILIES, bits, tiny_base


def bpe(
    corpus: Sequence[str] = ("low lower lowest",), closing: str = "", ending: str = "</s>", size: int = 270
) -> PreTrainedTokenizerFast:
    """Return a small byte-level BPE that opens every sequence with <s>, and closes it with ``closing``.

    Those of 259 tokens, which merge nothing, are known to the tiny models.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>", ending, "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"<s> $A {closing}".strip(), special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token=ending)


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


@given(st.lists(st.text() | st.sampled_from(["</s>", "a<pad> <s>", " ."]), min_size=1, max_size=4))
def test_bytes_are_the_same_as_a_tokenizer_of_transformers(texts: list[str]) -> None:
    for special in (True, False):
        found = BYTES.tokenizer(texts, add_special_tokens=special)["input_ids"]
        assert found == BYTES.encode(texts, special=special)


@given(st.lists(st.integers(0, ByteTokenizer.vocab_size - 1)))
def test_bytes_are_spelt_as_by_a_tokenizer_of_transformers(ids: list[int]) -> None:
    """Whether they spell a text or not."""
    assert PretrainedTokenizer(BYTES.tokenizer).decode(ids) == BYTES.decode(ids)


def test_special_tokens_of_bytes_are_those_of_transformers() -> None:
    own = BYTES.tokenizer
    assert (own.bos_token_id, own.eos_token_id, own.pad_token_id) == (BYTES.bos_id, BYTES.eos_id, BYTES.pad_id)
    assert len(own) == BYTES.vocab_size


BYTES = ByteTokenizer()


def test_bytes_that_spell_nothing_are_replaced() -> None:
    assert ByteTokenizer().decode([0xFF, ord("a")]) == "\ufffda"


def endless() -> PreTrainedTokenizerFast:
    """Return a tokenizer without an end of text."""
    tokenizer = bpe(ending="<extra>")
    tokenizer.eos_token = None
    return tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_end_of_text_is_added_with_the_mean_of_the_rows(family: str) -> None:
    tokenizer, model = endless(), tiny_base(family=family)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    known = model.get_input_embeddings().num_embeddings
    assert known < len(tokenizer)
    with torch.random.fork_rng(devices=[]):
        state = torch.get_rng_state()
        assert complete(tokenizer, model)
        assert torch.equal(torch.get_rng_state(), state)
    assert PretrainedTokenizer(tokenizer).eos_id == len(tokenizer) - 1
    for name, tensor in model.state_dict().items():
        old = before[name]
        assert torch.equal(tensor[: len(old)], old), name
        if len(tensor) > len(old):
            assert torch.equal(tensor[known:], old.mean(dim=0).expand_as(tensor[known:])), name
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        assert len(layer.weight) == len(tokenizer)


def test_a_spare_row_is_taken_before_the_model_grows() -> None:
    tokenizer, model = endless(), tiny_base()
    model.resize_token_embeddings(300)
    before = bits(model)
    assert complete(tokenizer, model)
    assert bits(model) == before
    assert tokenizer.eos_token_id < 300


def test_a_complete_tokenizer_and_its_model_stay_as_they_are() -> None:
    tokenizer, model = bpe(), tiny_base()
    fingerprint = PretrainedTokenizer(tokenizer).fingerprint
    assert not complete(tokenizer, model)
    assert PretrainedTokenizer(tokenizer).fingerprint == fingerprint
    assert bits(model) == bits(tiny_base())


@pytest.mark.parametrize("tokenizer", [PRETRAINED, ByteTokenizer()], ids=["transformers", "bytes"])
def test_no_texts_have_no_tokens(tokenizer: PretrainedTokenizer | ByteTokenizer) -> None:
    """Tasks of generation have no label words."""
    assert tokenizer.encode([], special=True) == tokenizer.encode([], special=False) == []
