"""Examples that are too long lose the end of their text, and nothing of the question or of the response."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fedmezo.core.errors import ResourceError
from fedmezo.data.encoding import Tokenizer
from fedmezo.data.examples import Example
from fedmezo.data.prompts import Prompt


@dataclass(frozen=True)
class Shortened:
    """Examples that all have room, how many of them had to lose some of their text, and the tokens of the longest."""

    examples: Sequence[Example]
    cut: int
    longest: int


def shortened(
    examples: Sequence[Example], tokenizer: Tokenizer, prompt: Prompt, tok_len: int, closing: int
) -> Shortened:
    """Cut texts so that prompt, response and closing tokens have room.

    Args:
        examples: at least one.
        tokenizer: gives the tokens.
        prompt: puts an example into words.
        tok_len: the most tokens of an example.
        closing: tokens that end a response.

    Raises:
        ResourceError: a question and its response have no room even without the text, or every text is cut.
    """

    def length(example: Example) -> int:
        (head,) = tokenizer.encode([prompt(example)], special=not prompt.bare)
        tails = tokenizer.encode([example.output, *example.candidates], special=False)
        return len(head) + max(map(len, tails)) + closing

    found, lengths = list(examples), {}
    for index, example in enumerate(examples):
        longest = max([example.output, *example.candidates], key=_most_tokens)
        if _most_tokens(prompt(example) + longest) + closing <= tok_len:
            continue
        lengths[index] = length(example)
        if lengths[index] > tok_len:
            found[index] = _cut(example, length, tok_len)
    cut = [index for index, count in lengths.items() if count > tok_len]
    if len(cut) == len(examples):
        shortest = min(lengths.values())
        raise ResourceError(
            f"llm.tok_len = {tok_len}\n    every one of the {len(examples)} texts would be cut: the shortest example "
            f"has {shortest} tokens, the longest {max(lengths.values())}"
        )
    return Shortened(found, len(cut), max(lengths.values(), default=0))


def _most_tokens(text: str) -> int:
    """Return how many tokens a text has at most: bytes, what begins a sequence, and what marks the start of a word."""
    return len(text.encode()) + 4


def _cut(example: Example, length: Callable[[Example], int], tok_len: int) -> Example:
    """Return an example with the longest beginning of its text that has room, up to the end of a word if it has one."""
    needed = length(replace(example, input=""))
    if needed > tok_len:
        raise ResourceError(
            f"llm.tok_len = {tok_len}\n    the question and its answer alone have {needed} tokens, without any text: "
            f"set llm.tok_len to more than {needed}"
        )
    low, high = 0, len(example.input)  # a beginning of low letters has room, one of high letters has not
    while high - low > 1:
        middle = (low + high) // 2
        fits = length(replace(example, input=example.input[:middle])) <= tok_len
        low, high = (middle, high) if fits else (low, middle)
    kept = example.input[:low]
    words = kept if example.input[low : low + 1].isspace() else kept.rpartition(" ")[0]
    shorter = replace(example, input=words.rstrip() or kept)
    return shorter if length(shorter) <= tok_len else replace(example, input=kept)
