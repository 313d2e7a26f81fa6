"""What ``fedmezo-node`` does: a node's model and data, loaded once, answer the server's orders."""

import re
from dataclasses import dataclass
from pathlib import Path

from yacs.config import CfgNode

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.installed import check_installed
from fedmezo.core.interrupt import graceful_stop
from fedmezo.core.log import LOG, on_screen
from fedmezo.core.process import raise_on_interrupt

STOPPING = "finishing this order, then leaving (again to leave at once) ..."


@dataclass(frozen=True)
class Connection:
    """Where orders come from.

    Args:
        superlink: HOST:PORT.
        root_certificates: file of the certificates that the SuperLink's is checked against; None: no TLS.
        key: file of the node's private key; None: the SuperLink asks for none.
        poll: seconds between looks for orders.
    """

    superlink: str
    root_certificates: Path | None
    key: Path | None
    poll: float

    def check(self) -> None:
        """Make sure that a connection can be tried.

        Raises:
            ConfigurationError: it cannot.
        """
        host, _, port = self.superlink.rpartition(":")
        if not re.fullmatch(r"[^\s/:]+", host) or not port.isdecimal() or int(port) > 65535:
            raise ConfigurationError(f"--superlink {self.superlink}\n    expected HOST:PORT")
        if not 0 < self.poll < float("inf"):
            raise ConfigurationError(f"--poll {self.poll}\n    expected a number of seconds > 0")
        if self.key is not None and self.root_certificates is None:
            raise ConfigurationError("--key\n    a key is of use over TLS only: give --root-certificates too")
        for option, path in (("root-certificates", self.root_certificates), ("key", self.key)):
            if path is not None and not path.is_file():
                raise ConfigurationError(f"--{option} {path}\n    no such file")


def work(cfg: CfgNode, client: int, connection: Connection, *, own_data: bool = False) -> None:
    """Load, connect, and answer until told to stop.

    Args:
        cfg: of the node.
        client: it works for.
        connection: to the SuperLink.
        own_data: whether the data are that client's alone.

    Raises:
        ConfigurationError: there is no such client, or the connection cannot be tried.
        ResourceError: model or data cannot be had, or the SuperLink refuses this node.
    """
    clients = cfg.federate.client_num
    if not 0 <= client < clients:
        raise ConfigurationError(f"--client {client}\n    expected 0 to {clients - 1} (federate.client_num)")
    connection.check()
    with on_screen(cfg.verbose):
        check_installed("fedmezo-node", {"flwr": "flower"})
        from fedmezo.assembly.node import assemble_node  # mistakes are told before
        from fedmezo.federation.engines.flower import client_app
        from fedmezo.federation.engines.flower_node import serve
        from fedmezo.federation.engines.node_server import NodeServer

        raise_on_interrupt()
        first = assemble_node(cfg, client, own_data=own_data)
        server = NodeServer(lambda: assemble_node(cfg, client, own_data=own_data), first)
        with graceful_stop(STOPPING) as stop:
            LOG.info(f"client {client}: model and data are loaded")
            serve(
                connection.superlink,
                connection.root_certificates,
                connection.key,
                client_app(lambda run, node, request: server(run, client, request)),
                connection.poll,
                stop,
            )
        LOG.info("left")
