"""Examples become token sequences: prompt, response and end of text, with the length of the prompt."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fedmezo.core.errors import ResourceError
from fedmezo.data.encoding_cache import Arrays, content_key, read_arrays, write_arrays
from fedmezo.data.examples import Example
from fedmezo.data.prompts import ChatTokenizer, Prompt

BATCH = 1000
QUIET_UP_TO = 2000


class Tokenizer(ChatTokenizer, Protocol):
    """What encoding needs of a tokenizer."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes with anything that changes the tokens."""
        ...

    @property
    def eos_id(self) -> int:
        """The token that ends a response."""
        ...

    @property
    def pad_id(self) -> int:
        """The token that fills the end of a batch's rows."""
        ...

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Tokenise texts; ``special`` adds the leading BOS where the tokenizer has one, never an EOS."""
        ...


@dataclass(frozen=True, eq=False)
class EncodedExamples:
    """Token sequences of any length, end to end.

    Attributes:
        flat: int32 [sum of lengths], the tokens.
        offsets: int64 [examples + 1]; example ``i`` is ``flat[offsets[i]:offsets[i + 1]]``.
        prompt_lengths: int32 [examples]; the tokens from there on are learnt.
        whole_lengths: int32 [examples], before sequences were cut.
    """

    flat: NDArray[np.int32]
    offsets: NDArray[np.int64]
    prompt_lengths: NDArray[np.int32]
    whole_lengths: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.prompt_lengths)

    def hash(self) -> str:
        """Return the BLAKE2b hash of all tokens and borders, 32 hexadecimal digits: equal hashes, equal examples."""
        digest = hashlib.blake2b(digest_size=16)
        for array, kind in ((self.flat, "<i4"), (self.offsets, "<i8"), (self.prompt_lengths, "<i4")):
            digest.update(array.astype(kind).tobytes())
        return digest.hexdigest()

    def tokens(self, index: int) -> NDArray[np.int32]:
        """Return the tokens of one example, int32 [length]."""
        return self.flat[self.offsets[index] : self.offsets[index + 1]]

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Which examples lack the end of their response, bool [examples]."""
        return self.whole_lengths > np.diff(self.offsets)

    def num_labels(self, index: int) -> int:
        """Return how many tokens of an example are learnt: at least 1."""
        return len(self.tokens(index)) - int(self.prompt_lengths[index])


def encode(
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    prompt: Prompt,
    tok_len: int,
    cache: Path | None,
    *,
    ends: bool = True,
) -> tuple[EncodedExamples, NDArray[np.int64]]:
    """Tokenise examples, or read their tokens from the cache.

    Prompt and response are tokenised separately, so that a prompt has the tokens the model meets in use.

    Args:
        examples: what to encode.
        tokenizer: gives the tokens.
        prompt: puts an example into words.
        tok_len: longer sequences are cut at the end.
        cache: folder of encoded data, None to go without.
        ends: whether the end of a response is learnt; a label word has none.

    Returns:
        The examples of which some of the response is left, and their ascending int64 indices in ``examples``.

    Raises:
        ResourceError: no example is left.
    """
    prompts = [prompt(example) for example in examples]
    responses = [example.output + prompt.ending for example in examples]
    closing = [] if prompt.ending or not ends else [tokenizer.eos_id]
    key = content_key(prompts, responses, f"{tokenizer.fingerprint} {closing} {prompt.bare} {tok_len}")
    path = cache / f"{key}.safetensors" if cache else None
    arrays = read_arrays(path) if path else None
    if arrays is None:
        arrays = _tokenise(prompts, responses, tokenizer, prompt.bare, closing, tok_len)
        if path:
            write_arrays(path, arrays)
    kept: NDArray[np.int64] = arrays.pop("kept")
    if len(kept) == 0:
        raise ResourceError(f"llm.tok_len = {tok_len}: cuts off every response of the {len(examples)} examples")
    return EncodedExamples(**arrays), kept


def _tokenise(
    prompts: Sequence[str], responses: Sequence[str], tokenizer: Tokenizer, bare: bool, closing: list[int], tok_len: int
) -> Arrays:
    heads = _in_batches(prompts, tokenizer, special=not bare)
    tails = _in_batches(responses, tokenizer, special=False)
    kept = [index for index, head in enumerate(heads) if len(head) < tok_len]
    whole = [[*heads[index], *tails[index], *closing] for index in kept]
    sequences = [tokens[:tok_len] for tokens in whole]
    return {
        "flat": np.fromiter(chain.from_iterable(sequences), dtype=np.int32),
        "offsets": np.cumsum([0, *map(len, sequences)], dtype=np.int64),
        "prompt_lengths": np.array([len(heads[index]) for index in kept], dtype=np.int32),
        "whole_lengths": np.array([len(tokens) for tokens in whole], dtype=np.int32),
        "kept": np.array(kept, dtype=np.int64),
    }


def _in_batches(texts: Sequence[str], tokenizer: Tokenizer, *, special: bool) -> list[list[int]]:
    encoded: list[list[int]] = []
    quiet = len(texts) <= QUIET_UP_TO
    with tqdm(total=len(texts), desc="tokenising", leave=False, delay=1.0, disable=quiet) as bar:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            encoded += tokenizer.encode(batch, special=special)
            bar.update(len(batch))
    return encoded
