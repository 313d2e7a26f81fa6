"""What a run is: the hashes and the configuration that its rounds depend on."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from fedmezo.assembly.model import Tunable
from fedmezo.assembly.problem import Problem
from fedmezo.config.tree import plain
from fedmezo.federation.messages import IDENTITY_SIZE
from fedmezo.ledger.codec import HASH_SIZE, configuration_text
from fedmezo.ledger.records import Header
from fedmezo.models.flat import point_digest

# keys that change nothing of what a round computes; the run's folder may be moved, and go on elsewhere
INCIDENTAL = (
    *("outdir", "expname", "verbose", "use_gpu", "device", "engine", "eval.batch_size", "llm.cache", "_base_"),
    *("wandb", "tensorboard", "extensions", "data.root", "data.prompt", "early_stop.patience"),
    *("federate.total_round_num", "federate.save_to", "federate.save_freq", "federate.participation"),
)


def assemble_header(cfg: CfgNode, problem: Problem) -> Header:
    """Return what a run starts from."""
    found = {
        "partition": bytes.fromhex(problem.data.partition.digest()),
        "data": bytes.fromhex(problem.data.encoded.digest()),
    }
    return Header(tunable_hashes(cfg, problem) | found, problem.parameters.size, configuration(cfg))


def tunable_hashes(cfg: CfgNode, tunable: Tunable) -> dict[str, bytes]:
    """Return the hashes of configuration, base model, layout of the parameters, and starting point."""
    return {
        "configuration": _hash(configuration_text(configuration(cfg)).encode()),
        "model": tunable.base_digest,
        "parameters": bytes.fromhex(tunable.parameters.digest()),
        "initial": point_digest(tunable.start),
    }


def identity(hashes: Mapping[str, bytes]) -> bytes:
    """Return what messages name a run by: a hash of what server and clients have in common."""
    common = b"".join(hashes[name] for name in ("configuration", "model", "parameters", "initial"))
    return _hash(common)[:IDENTITY_SIZE]


def configuration(cfg: CfgNode) -> dict[str, Any]:
    """Return every key that the rounds depend on, by dotted name; for a file, the hash of what it says."""
    found = {
        name: value
        for name, value in _flat(plain(cfg), "")
        if not any(name == key or name.startswith(f"{key}.") for key in INCIDENTAL)
    }
    file, _, found["criterion.type"] = cfg.criterion.type.rpartition(":")
    files = (*cfg.extensions, *filter(None, [file]))
    found["files"] = [_hash(Path(path).read_bytes()).hex() for path in files]  # what they say, wherever they are
    found["federate.participation"] = bool(cfg.federate.participation)  # who took part is in the ledger itself
    return found


def _flat(tree: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in tree.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=HASH_SIZE).digest()
