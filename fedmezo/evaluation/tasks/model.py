"""A loaded model for lm_eval: in lm_eval's own batches, with a bar, and a cache of answers."""

from collections.abc import Iterator, Sequence
from typing import Any

from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import Collator
from torch import nn
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from fedmezo.evaluation.tasks.answer_cache import AnswerCache


class CachingModel(HFLM):  # type: ignore[misc]
    """lm_eval's model of transformers, around one that is in memory.

    Args:
        model: of transformers or PEFT, at the point to evaluate.
        tokenizer: of transformers.
        batch_size: requests at a time.
        cache: answers of an interrupted evaluation.
    """

    def __init__(
        self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, batch_size: int, cache: AnswerCache
    ) -> None:
        super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        self._cache = cache

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Return the answer to each request of (prompt, generation settings)."""
        answers = [""] * len(requests)
        quiet = disable_tqdm or None  # None: a bar on a terminal, nothing elsewhere
        with tqdm(desc="answering", total=len(requests), dynamic_ncols=True, disable=quiet) as bar:
            for rows in self._batches(requests):
                for row, answer in zip(rows, self._answered([requests[row] for row in rows]), strict=True):
                    answers[row] = answer
                bar.update(len(rows))
        return answers

    def _batches(self, requests: Sequence[Any]) -> Iterator[list[int]]:
        """Yield indices batch by batch, as HFLM divides requests: equal padding, equal bits."""
        rows = [(*request.args, index) for index, request in enumerate(requests)]
        collator = Collator(
            rows,
            sort_fn=lambda row: (-len(self.tok_encode(row[0])), row[0]),
            group_fn=lambda row: row[1],
            group_by="gen_kwargs",
        )
        for batch in collator.get_batched(n=self.batch_size):
            yield [row[-1] for row in batch]

    def _answered(self, requests: Sequence[Any]) -> list[str]:
        batch = [request.args for request in requests]
        drawn = any(settings.get("do_sample") for _, settings in batch)
        found = None if drawn else self._cache.find(batch)
        if found is None:
            found = super().generate_until(requests, disable_tqdm=True)
            if not drawn:
                self._cache.add(batch, found)
        return found
