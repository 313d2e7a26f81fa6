"""What ``fedmezo theory`` compares blocks with whole directions by, on a run's model and data."""

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from fedmezo.assembly import LearningTask, zeroth_order
from fedmezo.assembly.model import assemble_blocks, assemble_scorer
from fedmezo.assembly.node import with_values
from fedmezo.assembly.run_spec import block_order
from fedmezo.config import to_dict
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.batches import Batch
from fedmezo.evaluation.theory.bench import Sizes
from fedmezo.evaluation.theory.comparison import Comparison
from fedmezo.evaluation.theory.division import divided
from fedmezo.evaluation.theory.forwards import Forwards
from fedmezo.models.blocks import decoder_layers
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.scoring import IN_BLOCKS, Scorer

HELD_OUT = -3  # the "client" of the stream of examples that gains are measured on
WHOLE = {"zo.blocks": 1, "zo.block_order": "cyclic", "zo.use_blocks": []}


def divided_cfg(cfg: CfgNode, blocks: int | None) -> CfgNode | None:
    """Return the configuration with the blocks to compare: those of the run, or so many; None where there are none.

    Raises:
        ConfigurationError: the run has blocks of its own, or estimates no gradients.
    """
    if blocks is None:
        return cfg if zeroth_order(cfg) and cfg.zo.blocks > 1 else None
    if not zeroth_order(cfg):
        raise ConfigurationError(f"--blocks {blocks}\n    the run computes its gradients: it has no directions")
    if cfg.zo.blocks > 1:
        raise ConfigurationError(f"--blocks {blocks}\n    the run has zo.blocks = {cfg.zo.blocks}: leave it out")
    return with_values(to_dict(cfg), {"zo.blocks": blocks})


def make_comparison(
    cfg: CfgNode, split: CfgNode, task: LearningTask, exact: LearningTask, used: NDArray[np.int64], sizes: Sizes
) -> Comparison:
    """Return the comparison.

    A run without blocks is compared with one direction in each block.

    Args:
        cfg: of the run.
        split: the same with blocks.
        task: model and data of the run.
        exact: likewise in fp32.
        used: examples that gradients are of.
        sizes: of the samples.

    Raises:
        ConfigurationError: the model has fewer layers than blocks, or no examples are left.
    """
    try:
        blocks = assemble_blocks(split, task.model, task.parameters)
    except ConfigurationError as error:  # of blocks that the option asks for
        raise ConfigurationError(f"--blocks {split.zo.blocks}\n{str(error).partition(chr(10))[2]}") from error
    assert blocks is not None
    order = block_order(split, len(blocks.starts))
    division = divided(task.parameters, blocks, len(decoder_layers(task.model)), order)
    own = cfg.zo.blocks > 1

    def counterpart(of: CfgNode) -> Scorer:
        scorer = task.scorer
        return assemble_scorer(
            of, task.model, task.parameters, scorer.criterion, movable=True, label_tokens=scorer.label_tokens
        )

    in_blocks = task.scorer if own else counterpart(split)
    return Comparison(
        counterpart(with_values(to_dict(cfg), WHOLE)) if own else task.scorer,
        in_blocks,
        division,
        Forwards(make_estimator(cfg.zo.estimator), division, type(in_blocks) in IN_BLOCKS.values()),
        cfg.zo.queries if own else len(order.used),
        cfg.zo.mu,
        _held_out(cfg, exact, used, sizes.held_out),
        sizes.moves,
        cfg.seed,
    )


def _held_out(cfg: CfgNode, task: LearningTask, used: NDArray[np.int64], count: int) -> list[Batch]:
    """Return batches of validation examples; where these are fewer, of training examples that are not used."""
    pool = task.data.partition.union("val")
    if len(pool) < count:
        pool = np.setdiff1d(task.data.partition.union("train"), used)
    size = min(cfg.dataloader.batch_size, len(pool))
    if not size:
        raise ConfigurationError("--held-out\n    no examples are left to measure gains on: take fewer --batches")
    draw = generator(stream_key(cfg.seed, "data", client=HELD_OUT, query=1))
    batches = max(1, min(count, len(pool)) // size)
    return [task.collate(indices) for indices in draw.choice(pool, (batches, size), replace=False)]
