"""Tokenizers as the data layer wants them: batches of texts to ids, with a fingerprint for its cache."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from fedmezo.errors import ResourceError


class ModelTokenizer(Protocol):
    """What the rest of the program needs of a tokenizer (the data layer's protocol, and decoding)."""

    fingerprint: str
    eos_id: int
    pad_id: int

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the ids of each text; ``special`` adds the leading BOS where the tokenizer has one."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""
        ...


class PretrainedTokenizer:
    """A tokenizer of transformers.

    Raises:
        ResourceError: it has no end-of-sequence token.
    """

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.eos_token_id is None:
            raise ResourceError(
                "model.type: the model's tokenizer has no end-of-sequence token, which responses end in"
            )
        self._tokenizer = tokenizer
        self.eos_id = int(tokenizer.eos_token_id)
        # padding is masked everywhere, so any id does where a tokenizer has none of its own
        self.pad_id = self.eos_id if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
        self.fingerprint = hashlib.blake2b(_definition(tokenizer).encode(), digest_size=16).hexdigest()

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the ids of each text; a closing EOS of the tokenizer's own is left out."""
        rows: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=special)["input_ids"]
        return [row[:-1] if special and row[-1:] == [self.eos_id] else row for row in rows]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def _definition(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    return f"{type(tokenizer).__name__} {vocabulary}"


class ByteTokenizer:
    """UTF-8 bytes, then BOS, EOS and padding."""

    bos_id = 256
    eos_id = 257
    pad_id = 258
    vocab_size = 259
    fingerprint = "bytes-1"

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return the bytes of each text, after BOS if ``special``."""
        return [[self.bos_id] * special + list(text.encode()) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the bytes among ids."""
        return bytes(i for i in ids if i < self.bos_id).decode(errors="replace")
