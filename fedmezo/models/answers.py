"""Answers as texts: what a model writes greedily after prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from fedmezo.models.generation import Sampling, Tokens, generate_batch, without_ending
from fedmezo.models.tokenizers import ModelTokenizer


@dataclass(frozen=True)
class Answering:
    """How a model is asked, and what of it is the answer.

    Args:
        tokenizer: of the model.
        endings: token sequences, each of which ends an answer.
        max_new_tokens: of an answer.
        one_line: an answer ends with its first line, as those to a task's template do (MeZO's do, too).
    """

    tokenizer: ModelTokenizer
    endings: Sequence[Tokens]
    max_new_tokens: int
    one_line: bool = False

    def answers(self, model: PreTrainedModel, prompts: Sequence[Tokens], batch_size: int) -> list[str]:
        """Return the answers of a model in eval mode, so many of them written at a time.

        Raises:
            ConfigurationError: a prompt leaves no position for an answer.
        """
        found = generate_batch(model, prompts, self.endings, Sampling(self.max_new_tokens), batch_size)
        return [self.text(tokens) for tokens in found]

    def text(self, tokens: Tokens) -> str:
        """Return the answer that tokens are, without its ending."""
        text = self.tokenizer.decode(without_ending(tokens, self.endings))
        return (text.partition("\n")[0] if self.one_line else text).strip()


def endings(tokenizer: ModelTokenizer, *texts: str) -> list[list[int]]:
    """Return the tokens that end an answer: the end of the text, and those of some texts, empty ones left out."""
    return [[tokenizer.eos_id], *tokenizer.encode(list(filter(None, texts)), special=False)]
