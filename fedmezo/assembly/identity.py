"""What a run is: the hashes and the configuration that its rounds depend on."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from fedmezo.assembly.classification import asked_task, criterion_type
from fedmezo.assembly.model import TrainableModel
from fedmezo.config.schema import earlier
from fedmezo.config.tree import plain
from fedmezo.core.registry import declarations
from fedmezo.federation.handshake import ANY, WORDS, Handshake
from fedmezo.federation.messages import IDENTITY_SIZE
from fedmezo.ledger.codec import HASH_SIZE, configuration_text
from fedmezo.ledger.records import Header
from fedmezo.models.hashing import point_hash
from fedmezo.reporting import callbacks

# keys that change nothing of what a round computes; the run's folder may be moved, its base model too (a hash says
# that it is the same), and it may go on elsewhere
INCIDENTAL = (
    *("outdir", "expname", "verbose", "use_gpu", "device", "engine", "eval.batch_size", "eval.generate"),
    *("llm.cache", "llm.accept_terms", "_base_"),
    *("wandb", "tensorboard", "callbacks", "extensions", "model.type", "data.root", "data.prompt", "data.date"),
    *("early_stop.patience", "federate.total_round_num", "federate.save_to", "federate.save_freq"),
    "federate.participation",
    *("federate.on_failure", "federate.retries", "federate.min_results"),  # who took part is in the ledger
)
# keys that decide what a client is asked, and what becomes of its answer, but not its answer; a node's data are its own
SERVERS = ("data", "eval", "federate")
SHARED_BY_ALL = ("federate.transport", "data.task", "data.label_words")


def as_recorded(keys: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's keys with those that counted when it was recorded, but do not today, as they were then."""
    return {name: value for name, value in recorded.items() if _under(name, INCIDENTAL)} | dict(keys)


def trainable_hashes(keys: Mapping[str, Any], trainable: TrainableModel) -> dict[str, bytes]:
    """Return the hashes of configuration, base model, layout of the parameters, and starting point."""
    return {
        "configuration": _hash(configuration_text(keys).encode()),
        "model": trainable.base_hash,
        "parameters": bytes.fromhex(trainable.parameters.layout_hash()),
        "initial": point_hash(trainable.start),
    }


def identity(keys: Mapping[str, Any], hashes: Mapping[str, bytes]) -> bytes:
    """Return what messages name a run by: a hash of what server and clients have in common."""
    common = b"".join(hashes[name] for name in ("model", "parameters", "initial"))
    return _hash(configuration_text(of_work(keys)).encode() + common)[:IDENTITY_SIZE]


def of_work(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a client's answer depends on, besides its task and its data."""
    return {name: value for name, value in keys.items() if name in SHARED_BY_ALL or not _under(name, SERVERS)}


def handshake(header: Header, client: int = ANY, *, own_data: bool = False) -> Handshake:
    """Return what a node, or the server, works on.

    Args:
        header: of the run, as it is here.
        client: that a node works for.
        own_data: whether a node's data are its own.
    """
    hashes = {name: header.hashes[name].hex() for name in WORDS}
    if own_data:
        del hashes["partition"], hashes["data"]
    data = {
        name: value for name, value in header.configuration.items() if _under(name, ("data", "federate.client_num"))
    }
    return Handshake(client, of_work(header.configuration), hashes, torch.get_num_threads(), data)


def configuration(cfg: CfgNode) -> dict[str, Any]:
    """Return every key that the rounds depend on, by dotted name; for a file, the hash of what it says.

    Of a classification they say the criterion and the label words that are meant: data of a node's own change neither.

    A key that says what versions before it did is left out where it says the same, as it was then.
    """
    same = plain(earlier())
    rows = [(name, value) for name, value in _flat(plain(cfg), "") if name not in same or value != same[name]]
    found = {name: value for name, value in rows if not _under(name, INCIDENTAL)}
    task = asked_task(cfg)
    file, _, found["criterion.type"] = criterion_type(cfg, task).rpartition(":")
    if task and task.classes:
        found |= {"data.task": "classification", "data.label_words": list(task.classes)}
    files = (*filter(_counts, cfg.extensions), *filter(None, [file]))
    found["files"] = [_hash(Path(path).read_bytes()).hex() for path in files]  # what they say, wherever they are
    found["federate.participation"] = bool(cfg.federate.participation)  # who took part is in the ledger itself
    return found


def _counts(extension: str) -> bool:
    """Return whether rounds may depend on a file: one that registers nothing but callbacks has no part in them."""
    return {each.package for each in declarations(Path(extension))} != {callbacks.__name__}


def _under(name: str, keys: Sequence[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for key in keys)


def _flat(tree: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in tree.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=HASH_SIZE).digest()
