"""What a stock ``flower-supernode`` runs: it works, but loads the model anew for every message.

The node's configuration names the rest::

    flower-supernode ... --node-config 'cfg="node.yaml" partition-id=0 own-data=false'
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmezo import config
from fedmezo.assembly.node import assemble_node
from fedmezo.core.errors import FedmezoError
from fedmezo.federation.engines import flower
from fedmezo.federation.engines.node_server import NodeServer
from fedmezo.federation.engines.transport import Failed, Request, Response


def answer(run: int, node: Mapping[str, Any], request: Request) -> Response:
    """Answer a request, as the node's configuration says."""
    client = int(node.get("partition-id", 0))
    try:
        cfg = config.load(Path(str(node.get("cfg", ""))))
    except FedmezoError as error:
        return Failed(str(error))
    return NodeServer(lambda: assemble_node(cfg, client, own_data=bool(node.get("own-data", False))))(
        run, client, request
    )


client_app = flower.client_app(answer)
