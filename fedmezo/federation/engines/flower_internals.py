"""Flower's internals, all of them, which change with every release: what is used, and what is changed.

:mod:`.flower_node` and :mod:`.flower_server` take them from here; Flower's public interface is in :mod:`.flower`.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fedmezo.core.errors import ConfigurationError

import httpx  # isort: skip - flwr's own client
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from flwr.app import Context, RecordDict
from flwr.app import Message as Envelope
from flwr.app.message import remove_content_from_message
from flwr.cli.build import build_fab_from_disk
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL, SubStatus
from flwr.common.serde import fab_to_proto, message_from_proto, message_to_proto, run_from_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
    RegisterNodeFleetRequest,
    UnregisterNodeFleetRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node as ProtoNode
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, PushTaskOutputRequest
from flwr.serverapp import Grid
from flwr.supercore.constant import TaskType
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.fab import Fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree, pull_objects, push_objects
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.primitives.asymmetric import generate_key_pairs, public_key_to_bytes
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import http_grid
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

__all__ = [
    "HEARTBEAT_DEFAULT_INTERVAL",
    "SHORTEST",
    "AcquireTaskRequest",
    "ActivateNodeRequest",
    "Context",
    "ControlHttpClient",
    "DeactivateNodeRequest",
    "Envelope",
    "Fab",
    "FleetHttpClient",
    "FlowerError",
    "Grid",
    "HeartbeatSender",
    "NodeAuthHttpInterceptor",
    "ObjectTree",
    "ProtoNode",
    "PullMessagesRequest",
    "PullTaskInputRequest",
    "PushMessagesRequest",
    "PushTaskOutputRequest",
    "RecordDict",
    "RegisterNodeFleetRequest",
    "RuntimeHttpClient",
    "RuntimeVersionHttpInterceptor",
    "SendNodeHeartbeatRequest",
    "StartRunRequest",
    "SubStatus",
    "SuperExecAuthHttpInterceptor",
    "TaskIdentity",
    "TaskType",
    "UnregisterNodeFleetRequest",
    "UnsupportedAlgorithm",
    "build_fab_from_disk",
    "ec",
    "fab_to_proto",
    "generate_key_pairs",
    "get_all_nested_objects",
    "get_object_tree",
    "http_grid",
    "httpx",
    "identified",
    "load_ssh_private_key",
    "load_ssh_public_key",
    "looking_again_soon",
    "make_confirm_message_received_fn_protobuf",
    "make_pull_object_fn_protobuf",
    "make_push_object_fn_protobuf",
    "make_task_heartbeat_fn_http",
    "message_from_proto",
    "message_to_proto",
    "no_object_id_recompute",
    "public_key_to_bytes",
    "pull_and_inflate_object_from_tree",
    "pull_objects",
    "push_objects",
    "read_private_key",
    "read_public_key",
    "remove_content_from_message",
    "run_from_proto",
    "said",
    "trusting",
]

SHORTEST = 0.02  # seconds between two looks for what has not come as a whole; Flower waits for a second


def identified(message: Envelope, name: str) -> Envelope:
    """Return a message that is known by a name: Flower gives messages names, but not those that are received."""
    message.metadata.__dict__["_message_id"] = name
    return message


@contextmanager
def looking_again_soon() -> Iterator[None]:
    """Have a grid look again soon for an answer that is not there as a whole: Flower waits a second."""
    http_grid.pull_objects = partial(pull_objects, initial_backoff=SHORTEST)
    try:
        yield
    finally:
        http_grid.pull_objects = pull_objects


@contextmanager
def trusting(option: str, path: Path | None) -> Iterator[bytes | None]:
    """Give the certificates of a file, and have an error in them name the option."""
    try:
        yield None if path is None else path.read_bytes()
    except ssl.SSLError as error:
        raise ConfigurationError(f"{option} {path}\n    expected certificates in PEM: {error}") from error


def said(error: httpx.HTTPStatusError) -> str:
    """Return what the SuperLink says of an error."""
    found = FlowerError.from_json(error.response.text)
    return f"[code: {found.code}] {found.message}" if found else str(error).splitlines()[0]


def read_private_key(path: Path) -> tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey]:
    """Return a node's keys.

    Raises:
        ConfigurationError: the file holds none of the kind that Flower uses (ECDSA on a NIST curve).
    """
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"--key {path}\n    {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"--key {path}\n    expected a key as of scripts/make_certificates.py (ECDSA)")
    return key, key.public_key()


def read_public_key(data: bytes) -> bytes:
    """Return a public key as nodes are known by it.

    Raises:
        ValueError: it is none of that kind.
    """
    try:
        key: object = load_ssh_public_key(data)
    except UnsupportedAlgorithm:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("expected a public key as of scripts/make_certificates.py (ECDSA)")
    return bytes(public_key_to_bytes(key))
