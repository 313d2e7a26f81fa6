"""A node: what a process that works for clients loads."""

from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from fedmezo.assembly.client import assemble_client_executor, assemble_local_data
from fedmezo.assembly.identity import handshake
from fedmezo.assembly.run_spec import assemble_run_spec
from fedmezo.assembly.server import assemble_server
from fedmezo.assembly.task import assemble_learning_task
from fedmezo.config import to_dict
from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.engines.node_server import LoadedNode
from fedmezo.federation.handshake import ANY
from fedmezo.federation.node import Node

# what a node has no use for: it tracks nothing, saves nothing, and is itself a part of some engine
IDLE = {"callbacks": (), "wandb.use": False, "tensorboard.use": False, "federate.save_to": "", "engine.type": "local"}
ONE_CLIENT = {
    **{"federate.client_num": 1, "data.splitter": "iid", "data.splitter_args": ()},
    "data.duplicates": "keep",  # nothing is evaluated on a node
}


def assemble_node(cfg: CfgNode, client: int = ANY, *, own_data: bool = False) -> LoadedNode:
    """Load model and data of a node, as at the beginning of a run.

    Args:
        cfg: of the node.
        client: it works for.
        own_data: whether its data are all that client's; otherwise it has the client's part of the server's division.

    Raises:
        ConfigurationError: the configuration is wrong, or wants what only the server knows.
        ResourceError: model or data cannot be had.
    """
    if own_data:
        _check_own_data(cfg)
    task = assemble_learning_task(with_values(to_dict(cfg), IDLE | (ONE_CLIENT if own_data else {})))
    spec = assemble_run_spec(cfg, task)
    data = assemble_local_data(cfg, task, client if own_data else None)
    executor = assemble_client_executor(spec, data, lambda loss: None)
    server = assemble_server(spec)
    node = Node(executor, spec.identity, server.aggregation, server.parameters, server.in_place)
    return LoadedNode(node, handshake(spec.header(task.data), client, own_data=own_data))


def with_values(values: dict[str, Any], changes: Mapping[str, Any]) -> CfgNode:
    """Return a configuration of plain values, as :func:`fedmezo.config.to_dict` gives them, with some changed."""
    cfg = CfgNode(values)
    cfg.merge_from_list([item for pair in changes.items() for item in pair])
    cfg.freeze()
    return cfg


def _check_own_data(cfg: CfgNode) -> None:
    for key, value, what in (
        ("train.batch_or_epoch", cfg.train.batch_or_epoch == "epoch", "how long an epoch is"),
        ("federate.weight_by", cfg.federate.weight_by == "dataset", "how many examples there are"),
    ):
        if value:
            raise ConfigurationError(f"{key}\n    the server cannot know {what} where a node has data of its own")
