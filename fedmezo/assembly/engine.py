"""The engine of a run, from its configuration, and the nodes of engines that work in other processes."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from yacs.config import CfgNode

from fedmezo.assembly.identity import handshake
from fedmezo.config import to_dict
from fedmezo.federation import engines
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine
from fedmezo.federation.failure_policy import FailurePolicy
from fedmezo.ledger.records import Header


def assemble_engine(cfg: CfgNode, header: Header, work: ClientExecutor, downlink: Downlink) -> Engine:
    """Make the engine, giving its constructor what it names of the resources and of the keys of ``engine.*``."""
    make: Callable[..., Engine] = engines.registry[cfg.engine.type]
    offered = _resources(cfg, header, work, downlink)
    return make(**{name: offered[name] for name in inspect.signature(make).parameters if name in offered})


def assemble_failure_policy(cfg: CfgNode) -> FailurePolicy:
    """Return the policy for clients that fail."""
    return FailurePolicy(cfg.federate.on_failure == "drop", cfg.federate.retries, cfg.federate.min_results)


def _resources(cfg: CfgNode, header: Header, work: ClientExecutor, downlink: Downlink) -> dict[str, Any]:
    own = {name: value for name, value in to_dict(cfg.engine).items() if name != "type"}
    own["workers"] = own["workers"] or max(1, (os.cpu_count() or 1) // torch.get_num_threads())
    return own | {
        "work": work,
        "downlink": downlink,
        "on_step": work.on_step,
        "clients": cfg.federate.client_num,
        "handshake": partial(handshake, cfg, header),
        "make_node": partial(_equip, to_dict(cfg), torch.get_num_threads()),
    }


def _equip(values: dict[str, Any], threads: int) -> Any:
    """Return the node of a worker process, which gets the configuration as plain values."""
    from fedmezo.assembly.node import assemble_node, with_values

    return assemble_node(with_values(values, {"engine.threads": threads}))
