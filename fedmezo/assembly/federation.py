"""Server, clients and engine of a run, put together."""

from collections.abc import Callable
from dataclasses import dataclass

from yacs.config import CfgNode

from fedmezo.assembly.client import assemble_client_executor, assemble_local_data
from fedmezo.assembly.engine import assemble_engine
from fedmezo.assembly.participation import assemble_participation
from fedmezo.assembly.run_spec import RunSpec, assemble_run_spec
from fedmezo.assembly.server import assemble_server
from fedmezo.assembly.task import LearningTask
from fedmezo.data.client_batches import LocalData
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine
from fedmezo.federation.server import Server
from fedmezo.ledger.records import Header


@dataclass(frozen=True, eq=False)
class Federation:
    """The server, the clients' work, the engine that executes it, what they are sent, and what the run starts from."""

    spec: RunSpec
    server: Server
    engine: Engine
    downlink: Downlink
    executor: ClientExecutor
    header: Header

    @property
    def scalars(self) -> bool:
        """Whether projected gradients travel, rather than weights."""
        return self.spec.scalars

    @property
    def local_data(self) -> LocalData:
        """The clients' training data."""
        return self.executor.data

    def new_server(self) -> Server:
        """Return a server at the start of the run, for restoring its rounds."""
        return assemble_server(self.spec)

    def new_downlink(self) -> Downlink:
        """Return the memory of a server that has sent nothing yet."""
        return _downlink(self.spec, self.server)


def assemble_federation(
    cfg: CfgNode, task: LearningTask, on_step: Callable[[float], None] = lambda loss: None
) -> Federation:
    """Put server, clients and engine together.

    Raises:
        ConfigurationError: optimizer or scheduler do not take their arguments.
    """
    spec = assemble_run_spec(cfg, task)
    header, data = spec.header(task.data), assemble_local_data(cfg, task)
    executor = assemble_client_executor(spec, data, on_step)
    server = assemble_server(spec, data, assemble_participation(cfg, data.steps, data.sizes))
    downlink = _downlink(spec, server)
    engine = assemble_engine(cfg, header, executor, downlink)
    return Federation(spec, server, engine, downlink, executor, header)


def _downlink(spec: RunSpec, server: Server) -> Downlink:
    start = spec.trainable.start
    stateful = server.aggregation.rule.stateful
    return Downlink(spec.identity, start.numel(), spec.scalars, start.element_size(), stateful)
