"""The evaluator of a run, from its configuration."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from fedmezo.assembly.learning_task import LearningTask
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.partition import SPLITS, Split
from fedmezo.evaluation.losses import Evaluator, example_losses
from fedmezo.evaluation.sample import first, spread


def assemble_evaluator(cfg: CfgNode, task: LearningTask, on_batch: Callable[[int], None]) -> Evaluator:
    """Return the evaluator of the configured splits that have examples."""
    splits = {split: _evaluated(cfg, task, split) for split in cfg.eval.split}
    return Evaluator(
        score=lambda parameters, indices: example_losses(
            task.scorer,
            parameters,
            task.collate,
            indices,
            lambda index: len(task.data.encoded.tokens(index)),
            cfg.eval.batch_size,
            on_batch,
        ),
        splits={split: parts for split, parts in splits.items() if any(map(len, parts))},
        categories=task.data.categories,
        pooled=cfg.federate.make_global_eval,
    )


def _evaluated(cfg: CfgNode, task: LearningTask, split: Split) -> Sequence[NDArray[np.int64]]:
    """Return each client's examples of a split that are evaluated."""
    parts, most = [client.split(split) for client in task.data.partition.clients], cfg.eval.max_examples
    if not most:
        return parts
    if cfg.eval.choice == "first":
        return first(parts, most)
    draw = generator(stream_key(cfg.seed, "evaluation", step=SPLITS.index(split)))
    return spread(parts, task.data.categories, most, draw)
