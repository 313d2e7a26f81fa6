"""What several parts of a run are made of, computed once: which run it is, its arithmetic, and its directions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yacs.config import CfgNode

from fedmezo.assembly.arguments import scalars_travel
from fedmezo.assembly.identity import configuration, identity, trainable_hashes
from fedmezo.assembly.model import TrainableModel
from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.data.federated import FederatedData
from fedmezo.ledger.records import Header
from fedmezo.zeroth_order.replay import DirectionKeys, Replay


@dataclass(frozen=True, eq=False)
class RunSpec:
    """A configuration and its model, with what follows from them for server, clients, nodes and ledger alike.

    Args:
        cfg: checked and complete.
        trainable: what is trained, at its initial point.
        scalars: whether projected gradients travel, rather than weights.
        configuration: every key that the rounds depend on, by dotted name.
        hashes: of configuration, base model, layout of the parameters and starting point.
        identity: what messages name the run by.
        replay: the arithmetic of its updates.
        keys: stream keys of its directions.
    """

    cfg: CfgNode
    trainable: TrainableModel
    scalars: bool
    configuration: Mapping[str, Any]
    hashes: Mapping[str, bytes]
    identity: bytes
    replay: Replay
    keys: DirectionKeys

    def header(self, data: FederatedData) -> Header:
        """Return what the run starts from."""
        found = {"partition": bytes.fromhex(data.partition.hash()), "data": bytes.fromhex(data.encoded.hash())}
        return Header({**self.hashes, **found}, self.trainable.parameters.size, dict(self.configuration))


def assemble_run_spec(cfg: CfgNode, trainable: TrainableModel) -> RunSpec:
    """Compute what the parts of a run have in common.

    Raises:
        ConfigurationError: scalars are to travel, and the trainer has none.
    """
    scalars, keys = scalars_travel(cfg), configuration(cfg)
    directions = trainable.scorer.directions
    order, hashes = block_order(cfg, directions.blocks), trainable_hashes(keys, trainable)
    return RunSpec(
        cfg=cfg,
        trainable=trainable,
        scalars=scalars,
        configuration=keys,
        hashes=hashes,
        identity=identity(keys, hashes),
        replay=Replay(
            trainable.parameters.decay_runs(), cfg.train.optimizer.weight_decay, directions, blocks=len(order.used)
        ),
        keys=DirectionKeys(
            cfg.seed if cfg.zo.seed is None else cfg.zo.seed,
            cfg.zo.queries,
            shared=cfg.zo.directions == "shared",
            blocks=order,
        ),
    )


def block_order(cfg: CfgNode, count: int) -> BlockOrder:
    """Return which of so many blocks the directions of a run are in, and when."""
    used = tuple(sorted(set(cfg.zo.use_blocks))) or tuple(range(count))
    return BlockOrder(count, used, drawn=cfg.zo.block_order == "random")
