"""The engine of a run, from its configuration, and the nodes of engines that work in other processes."""

import os
from functools import partial
from typing import Any

import torch
from yacs.config import CfgNode

from fedmezo.assembly.identity import handshake
from fedmezo.assembly.node import assemble_node, with_values
from fedmezo.assembly.precision import chosen_device
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
    settings["gpus"] = gpus_of_worker(cfg)
    settings["workers"] = settings["workers"] or max(1, (os.cpu_count() or 1) // torch.get_num_threads())
    return engines.registry[cfg.engine.type].create(
        Resources(
            executor=executor,
            on_step=executor.on_step,
            downlink=downlink,
            clients=cfg.federate.client_num,
            handshake=partial(handshake, header),
            make_node=partial(_worker, to_dict(cfg), worker_changes(settings["gpus"])),
            settings=settings,
        )
    )


def assemble_failure_policy(cfg: CfgNode) -> FailurePolicy:
    """Return the policy for clients that fail."""
    return FailurePolicy(cfg.federate.on_failure == "drop", cfg.federate.retries, cfg.federate.min_results)


def gpus_of_worker(cfg: CfgNode) -> float:
    """Return how many GPUs a worker of a simulation has: as configured, or one where the run itself is on a GPU."""
    if cfg.engine.gpus != "auto":
        return float(cfg.engine.gpus)
    return 1.0 if chosen_device(cfg.use_gpu, cfg.device).type == "cuda" else 0.0


def worker_changes(gpus: float) -> dict[str, Any]:
    """Return what a worker's configuration has otherwise; of the GPUs that Ray gives it, it takes the first."""
    return {"engine.threads": torch.get_num_threads(), "device": 0 if gpus else -1}


def _worker(values: dict[str, Any], changes: dict[str, Any]) -> LoadedNode:
    """Return the node of a worker process, which gets the configuration as plain values."""
    return assemble_node(with_values(values, changes))
