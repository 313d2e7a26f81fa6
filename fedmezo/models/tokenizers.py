"""Tokenizers as the data layer wants them: batches of texts to ids, with a fingerprint for its cache."""

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from fedmezo.core.errors import FaultyModelError
from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.chat_template import render
from fedmezo.models.faults import telling_faults


class ModelTokenizer(Protocol):
    """What the rest of the program needs of a tokenizer (the data layer's protocol, and decoding)."""

    fingerprint: str
    eos_id: int
    pad_id: int
    extended: bool  # by a token that it came without

    @property
    def tokenizer(self) -> Any:
        """The same as a tokenizer of transformers: what others ask a model with."""
        ...

    @property
    def has_chat(self) -> bool:
        """Whether there is a chat template."""
        ...

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        """Return a turn of the user and one of the assistant; without ``assistant``, up to where its text begins.

        The template may show ``day``; None lets it look at the clock.
        """
        ...

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the ids of each text; ``special`` adds the leading BOS where the tokenizer has one."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""
        ...

    def save(self, folder: Path) -> None:
        """Write it for transformers to load, if it is one of transformers."""
        ...


class PretrainedTokenizer:
    """A tokenizer of transformers, with an end-of-sequence token.

    Args:
        tokenizer: of transformers.
        extended: whether :func:`complete` had to extend it.
        known: how many tokens the model has embeddings for; None where it has them for all. A tokenizer may have more,
            such as one for images, as long as no text is made of them.
    """

    def __init__(self, tokenizer: Any, *, extended: bool = False, known: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.extended = extended
        self.eos_id = int(tokenizer.eos_token_id)
        size = len(tokenizer)
        self._known = size if known is None else known
        # padding is masked everywhere, so any id does where a tokenizer has none of its own, or the model none for it
        own = tokenizer.pad_token_id
        self.pad_id = self.eos_id if own is None or own >= self._known else int(own)
        definition = _definition(tokenizer) + (f" {self._known}" if self._known < size else "")
        self._check_known(self.eos_id)  # which closes a response
        self.fingerprint = hashlib.blake2b(definition.encode(), digest_size=16).hexdigest()

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the ids of each text; a closing EOS of the tokenizer's own is left out.

        Raises:
            FaultyModelError: the tokenizer fails, or gives a token that the model does not know.
        """
        if not texts:  # tokenizers of transformers fail at this
            return []
        with telling_faults(f"the tokenizer in {self.tokenizer.name_or_path}"):
            rows: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=special)["input_ids"]
        self._check_known(max(map(max, filter(None, rows)), default=0))
        return [row[:-1] if special and row[-1:] == [self.eos_id] else row for row in rows]

    def _check_known(self, token: int) -> None:
        if token >= self._known:
            raise FaultyModelError(
                f"the tokenizer in {self.tokenizer.name_or_path}: it makes token {token} of "
                f"{self.tokenizer.decode([token])!r}, and the model has embeddings for {self._known} tokens only, "
                "the first being 0; take the tokenizer that belongs to the model"
            )

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""
        with telling_faults(f"the tokenizer in {self.tokenizer.name_or_path}"):
            return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    @property
    def has_chat(self) -> bool:
        """Whether there is a chat template."""
        return bool(self.tokenizer.chat_template)

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        """Return a turn of the user and one of the assistant; without ``assistant``, up to where its text begins.

        The template may show ``day``; None lets it look at the clock.
        """
        turns = [{"role": "user", "content": user}]
        turns += [] if assistant is None else [{"role": "assistant", "content": assistant}]
        with telling_faults(f"data.prompt = chat\n    the chat template in {self.tokenizer.name_or_path} fails"):
            return render(self.tokenizer, turns, day)

    def save(self, folder: Path) -> None:
        """Write the tokenizer for transformers to load."""
        self.tokenizer.save_pretrained(folder)


def _definition(tokenizer: Any) -> str:
    backend, pieces = getattr(tokenizer, "backend_tokenizer", None), getattr(tokenizer, "sp_model", None)
    vocabulary = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    rules = hashlib.sha256(pieces.serialized_model_proto()).hexdigest() if pieces is not None else ""
    return f"{type(tokenizer).__name__} {vocabulary}{rules}"


class ByteTokenizer:
    """UTF-8 bytes, then BOS, EOS and padding."""

    bos_id = 256
    eos_id = 257
    pad_id = 258
    vocab_size = 259
    fingerprint = "bytes-1"
    extended = False
    has_chat = False

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The same as a tokenizer of transformers: a byte-level BPE that merges nothing; BOS opens every text."""
        tokens = bytes_to_unicode()
        tokenizer = Tokenizer(models.BPE(vocab={tokens[byte]: byte for byte in range(self.bos_id)}, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(["<s>", "</s>", "<pad>"])  # they get the next ids
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", self.bos_id)])
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token="<s>",
            eos_token="</s>",
            pad_token="<pad>",
            split_special_tokens=True,  # a text that spells one is its bytes
            clean_up_tokenization_spaces=False,
        )

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        """Return nothing: bytes have no chat template."""
        raise NotImplementedError

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the bytes of each text, after BOS if ``special``."""
        return [[self.bos_id] * special + list(text.encode()) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the bytes among ids."""
        return bytes(i for i in ids if i < self.bos_id).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """Write nothing: there is nothing to know about bytes."""


def complete(tokenizer: Any, model: PreTrainedModel) -> bool:
    """Give a tokenizer without an end-of-sequence token ``</s>``, and the model a row for it where it has none.

    Args:
        tokenizer: of transformers.
        model: its embeddings, and its head's, grow by the mean of their rows; all else stays as it is.

    Returns:
        Whether there was something to do.
    """
    if tokenizer.eos_token_id is not None:
        return False
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    known = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:
        with preserved_torch_state():  # transformers draws the new rows
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            for tensor in layer.parameters():
                tensor.data[known:] = tensor.data[:known].float().mean(dim=0)
    return True
