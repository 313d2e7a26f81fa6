"""Evaluations of the answers that the model writes, or chooses, from the configuration."""

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel
from yacs.config import CfgNode

from fedmezo.assembly.answers import answer_metrics, assemble_answering
from fedmezo.assembly.classification import asked_task
from fedmezo.assembly.task import LearningTask, answered
from fedmezo.data.tasks.task import Task
from fedmezo.evaluation.answers import AnswerEvaluations
from fedmezo.evaluation.candidates import likeliest
from fedmezo.text_metrics.make import make_text_metric


def assemble_answer_evaluations(cfg: CfgNode, learning_task: LearningTask, file: Path) -> AnswerEvaluations:
    """Return the evaluations of answers; of no split where none are asked for.

    Args:
        cfg: of the run.
        learning_task: model and data.
        file: that answers and scores are written to.
    """
    task, data = asked_task(cfg), learning_task.data
    metrics = {name: make_text_metric(name) for name in answer_metrics(cfg, task)}
    parts = {split: answered(cfg, data, split) for split in cfg.eval.split if metrics}
    return AnswerEvaluations(
        answer=Answers(cfg, learning_task, task),
        metrics=metrics,
        splits={split: np.sort(np.concatenate(own)) for split, own in parts.items() if any(map(len, own))},
        references=data.references,
        limit=cfg.eval.generate.max_new_tokens,
        file=file,
    )


class Answers:
    """The answers of a model to examples.

    Args:
        cfg: of the run.
        learning_task: model and data.
        task: what is asked of the data.
    """

    def __init__(self, cfg: CfgNode, learning_task: LearningTask, task: Task | None) -> None:
        self._learning_task = learning_task
        self._batch_size = cfg.eval.batch_size
        self._answering = assemble_answering(cfg, task, learning_task.tokenizer, cfg.eval.generate.max_new_tokens)
        self._chosen = task is not None and bool(task.candidates)

    def __call__(self, parameters: Tensor, indices: NDArray[np.int64]) -> list[str]:
        """Return the answers at parameters [d]."""
        encoded = self._learning_task.data.encoded
        prompts = [encoded.tokens(index)[: encoded.prompt_lengths[index]].tolist() for index in indices]
        if self._chosen:
            return self._choose(parameters, indices, prompts)
        with self._learning_task.scorer.at(parameters) as model:
            return self._answering.answers(cast(PreTrainedModel, model), prompts, self._batch_size)

    def _choose(self, parameters: Tensor, indices: NDArray[np.int64], prompts: list[list[int]]) -> list[str]:
        tokenizer = self._learning_task.tokenizer
        texts = [self._learning_task.data.candidates[index] for index in indices]
        tokens = [tokenizer.encode(list(own), special=False) for own in texts]
        scorer, size = self._learning_task.scorer, self._batch_size
        chosen = likeliest(scorer, parameters, prompts, tokens, size, tokenizer.pad_id)
        return [own[place].strip() for own, place in zip(texts, chosen, strict=True)]
