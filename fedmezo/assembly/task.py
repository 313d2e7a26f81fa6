"""What is trained, on what: a model and data, and how both are evaluated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from fedmezo.assembly.arguments import first_mapping, prompt_day
from fedmezo.assembly.classification import asked_task, data_request
from fedmezo.assembly.model import TrainableModel, assemble_model
from fedmezo.assembly.preflight import preflight
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.out_of_memory import during
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data import batches
from fedmezo.data.federated import FederatedData, Selection
from fedmezo.data.federated import build as build_data
from fedmezo.data.partition import SPLITS, Split
from fedmezo.evaluation.evaluator import Evaluator
from fedmezo.evaluation.metrics import Metric
from fedmezo.evaluation.metrics.make import make_metrics
from fedmezo.evaluation.sample import first, spread
from fedmezo.evaluation.scoring import example_sums
from fedmezo.ledger.evaluation_codec import PLACED
from fedmezo.ledger.records import LOSS
from fedmezo.models.context_length import token_room
from fedmezo.models.tokenizers import ModelTokenizer


@dataclass(frozen=True, eq=False)
class LearningTask(TrainableModel):
    """What is trained, on what, where: everything but the federation.

    Args:
        data: encoded and divided among clients.
        metrics: of every evaluation.
    """

    data: FederatedData
    metrics: Sequence[Metric]

    def collate(self, indices: NDArray[Any]) -> batches.Batch:
        """Return the batch of some examples."""
        return batches.collate(self.data.encoded, indices, self.tokenizer.pad_id)


def assemble_learning_task(cfg: CfgNode) -> LearningTask:
    """Load model and data.

    Raises:
        ResourceError: either cannot be had.
        ConfigurationError: they do not go together with the configuration.
    """
    preflight(cfg)
    with during("loading the model"):
        trainable = assemble_model(cfg)
    metrics = assemble_metrics(cfg)
    data = assemble_data(cfg, trainable.tokenizer, cache_folder(cfg.llm.cache.model))
    _check_lengths(trainable, int(np.diff(data.encoded.offsets).max()))
    return LearningTask(**vars(trainable), data=data, metrics=metrics)


def assemble_data(cfg: CfgNode, tokenizer: ModelTokenizer, cache: Path) -> FederatedData:
    """Load the data, encode them, and divide them among the clients.

    Raises:
        ResourceError: the data cannot be had, or nothing is left of a split to evaluate.
    """
    data = build_data(
        data_request(cfg, cache),
        prompt=cfg.data.prompt,
        day=prompt_day(cfg),
        tokenizer=tokenizer,
        tok_len=cfg.llm.tok_len,
        splitter=cfg.data.splitter,
        splitter_args=first_mapping(cfg.data.splitter_args),
        splits=cfg.data.splits,
        num_clients=cfg.federate.client_num,
        subsample=cfg.data.subsample,
        duplicates=cfg.data.duplicates,
        selection=Selection(cfg.data.split_by == "label", cfg.data.balance, cfg.data.shots, cfg.data.client_examples),
        cache=cache / "encoded",
    )
    for split in cfg.eval.split:
        _check_left(data, split)
    return data


def assemble_evaluator(cfg: CfgNode, task: LearningTask, on_batch: Callable[[int], None]) -> Evaluator:
    """Return the evaluator of the configured splits that have examples."""
    splits = {split: evaluated(cfg, task.data, split) for split in cfg.eval.split}
    return Evaluator(
        score=lambda parameters, indices: example_sums(
            task.scorer,
            parameters,
            task.collate,
            indices,
            lambda index: len(task.data.encoded.tokens(index)),
            cfg.eval.batch_size,
            task.metrics,
            on_batch,
        ),
        metrics=task.metrics,
        splits={split: parts for split, parts in splits.items() if any(map(len, parts))},
        categories=task.data.categories,
        pooled=cfg.federate.make_global_eval,
    )


def assemble_metrics(cfg: CfgNode) -> list[Metric]:
    """Return what is evaluated: what every evaluation records, what the configuration names, what picks the best.

    Metrics of classes that the data do not have are left out, with a warning: a configuration serves other data, too.

    Raises:
        ConfigurationError: such a metric is to pick the best model.
    """
    best = cfg.eval.best_res_update_round_wise_key.partition("_")[2]
    metrics = make_metrics((*PLACED, *cfg.eval.metrics, best))
    if not any(each.among_labels for each in metrics):
        return metrics
    task = asked_task(cfg)
    unfit = {each.name: reason for each in metrics if (reason := _unfit(each, cfg, len(task.classes) if task else 0))}
    if best in unfit:
        raise ConfigurationError(
            f"eval.best_res_update_round_wise_key = {cfg.eval.best_res_update_round_wise_key}\n    {unfit[best]}"
        )
    for name, reason in unfit.items():
        LOG.warning(f"eval.metrics: {name} is left out: {reason}")
    return [each for each in metrics if each.name not in unfit]


def _unfit(metric: Metric, cfg: CfgNode, num_classes: int) -> str:
    """Return why a metric does not go with data of so many classes; '' where it does."""
    if metric.among_labels and not num_classes:
        return f"it is for classification; {cfg.data.type} is none"
    if metric.num_classes not in (0, num_classes):
        return f"it is for {metric.num_classes} classes; {cfg.data.type} has {num_classes}"
    return ""


def shown_metrics(cfg: CfgNode, metrics: Sequence[Metric]) -> list[Metric]:
    """Return which metrics are shown of every evaluation: the loss, and what the configuration names."""
    made = {metric.name: metric for metric in metrics}
    return [made[name] for name in dict.fromkeys((LOSS, *cfg.eval.metrics)) if name in made]


def _check_lengths(trainable: TrainableModel, longest: int) -> None:
    room = token_room(trainable.model)
    if room is not None and longest > room:
        raise ConfigurationError(
            f"llm.tok_len\n    the longest example has {longest} tokens, and the model has positions for {room}; "
            f"set llm.tok_len {room}"
        )


def _check_left(data: FederatedData, split: Split) -> None:
    copies = len(data.copies[split])
    if copies and len(data.partition.union(split)) == 0:
        raise ResourceError(
            f"eval.split = {split}\n    all {copies} {split} examples equal examples of other parts, and are left out\n"
            "    use other data, or evaluate on what is known: data.duplicates keep"
        )


def evaluated(cfg: CfgNode, data: FederatedData, split: Split) -> Sequence[NDArray[np.int64]]:
    """Return each client's examples of a split that are evaluated."""
    parts = [client.split(split) for client in data.partition.clients]
    return _drawn(cfg, data, split, parts, cfg.eval.max_examples)


def answered(cfg: CfgNode, data: FederatedData, split: Split) -> Sequence[NDArray[np.int64]]:
    """Return each client's examples of a split that are answered, of those that are evaluated."""
    return _drawn(cfg, data, split, evaluated(cfg, data, split), cfg.eval.generate.max_examples)


def _drawn(
    cfg: CfgNode, data: FederatedData, split: Split, parts: Sequence[NDArray[np.int64]], most: int
) -> Sequence[NDArray[np.int64]]:
    """Return so many of the clients' examples of a split; all of them if ``most`` is 0."""
    if not most:
        return parts
    if cfg.eval.choice == "first":
        return first(parts, most)
    draw = generator(stream_key(cfg.seed, "evaluation", step=SPLITS.index(split)))
    return spread(parts, data.cells, most, draw)
