"""The engine of a run, from its configuration, and the nodes of engines that work in other processes."""

import os
from functools import partial
from typing import Any

import torch
from yacs.config import CfgNode

from fedmezo.assembly.identity import handshake
from fedmezo.assembly.node import assemble_node, with_values
from fedmezo.config import to_dict
from fedmezo.federation import engines
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine
from fedmezo.federation.engines import Resources
from fedmezo.federation.engines.node_server import LoadedNode
from fedmezo.federation.failure_policy import FailurePolicy
from fedmezo.ledger.records import Header


def assemble_engine(cfg: CfgNode, header: Header, executor: ClientExecutor, downlink: Downlink) -> Engine:
    """Make the engine of the resources that every engine is offered."""
    settings = to_dict(cfg.engine)
    settings["workers"] = settings["workers"] or max(1, (os.cpu_count() or 1) // torch.get_num_threads())
    return engines.registry[cfg.engine.type].create(
        Resources(
            executor=executor,
            on_step=executor.on_step,
            downlink=downlink,
            clients=cfg.federate.client_num,
            handshake=partial(handshake, header),
            make_node=partial(_worker, to_dict(cfg), torch.get_num_threads()),
            settings=settings,
        )
    )


def assemble_failure_policy(cfg: CfgNode) -> FailurePolicy:
    """Return the policy for clients that fail."""
    return FailurePolicy(cfg.federate.on_failure == "drop", cfg.federate.retries, cfg.federate.min_results)


def _worker(values: dict[str, Any], threads: int) -> LoadedNode:
    """Return the node of a worker process, which gets the configuration as plain values."""
    return assemble_node(with_values(values, {"engine.threads": threads}))
