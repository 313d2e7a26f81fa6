"""The evaluator of a run, from its configuration."""

from collections.abc import Callable

from yacs.config import CfgNode

from fedmezo.assembly.problem import Problem
from fedmezo.evaluation.losses import Evaluator, example_losses


def assemble_evaluator(cfg: CfgNode, problem: Problem, on_batch: Callable[[int], None]) -> Evaluator:
    """Return the evaluator of the configured splits that have examples."""
    clients = problem.data.partition.clients
    splits = {split: [getattr(client, split) for client in clients] for split in cfg.eval.split}
    return Evaluator(
        score=lambda parameters, indices: example_losses(
            problem.scorer,
            parameters,
            problem.collate,
            indices,
            lambda index: len(problem.data.encoded.tokens(index)),
            cfg.eval.batch_size,
            on_batch,
        ),
        splits={split: parts for split, parts in splits.items() if any(map(len, parts))},
        categories=problem.data.categories,
        pooled=cfg.federate.make_global_eval,
        max_examples=cfg.eval.max_examples,
    )
