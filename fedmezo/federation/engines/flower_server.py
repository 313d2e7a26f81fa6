"""The server of a deployment: a run at the SuperLink, whose rounds run in the server's own process.

It is the ServerApp of a SuperLink with ``--isolation process``: a SuperLink that is killed does not end the rounds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fedmezo.core.errors import ResourceError
from fedmezo.federation.engines.flower_internals import (
    AcquireTaskRequest,
    ControlHttpClient,
    Fab,
    Grid,
    HeartbeatSender,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    RuntimeHttpClient,
    RuntimeVersionHttpInterceptor,
    StartRunRequest,
    SubStatus,
    SuperExecAuthHttpInterceptor,
    TaskIdentity,
    TaskType,
    build_fab_from_disk,
    fab_to_proto,
    http_grid,
    httpx,
    looking_again_soon,
    make_task_heartbeat_fn_http,
    run_from_proto,
    said,
    trusting,
)

APP = Path(__file__).parents[2] / "commands" / "flower_app"
ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
NO_SECRET = 1008
OWN_RUN = 30.0  # seconds that the SuperLink has to hand the run to this process


@contextmanager
def served_grid(superlink: str, root_certificates: Path | None, secret: Path | None) -> Iterator[Grid]:
    """Open a run at a SuperLink, and give the grid that its ServerApp is to use: this process is the ServerApp.

    Args:
        superlink: HOST:PORT.
        root_certificates: file of the certificates that the SuperLink's is checked against; None: no TLS.
        secret: file of the secret that lets this process take the run; None: none is asked for.

    Raises:
        ResourceError: the SuperLink cannot be reached, refuses, or has given the run to another process.
    """
    plain = root_certificates is None
    with trusting("engine.root_certificates", root_certificates) as certificates, _told_of(superlink):
        run, token = _acquired(superlink, plain, certificates, secret)
    grid = http_grid.HttpGrid(superlink, plain, certificates, token=token)
    runtime = grid._runtime_client
    heart = HeartbeatSender(make_task_heartbeat_fn_http(runtime))
    heart.start()
    given = runtime.PullTaskInput(PullTaskInputRequest())
    TaskIdentity.task_id, TaskIdentity.run_id = given.task_id, run
    TaskIdentity.node_id = given.context.node_id
    grid.set_run(run_from_proto(given.run))
    status = SubStatus.FAILED
    try:
        with looking_again_soon():
            yield grid
        status = SubStatus.COMPLETED
    finally:
        heart.stop()
        with suppress(httpx.HTTPError, RuntimeError):
            runtime.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=""))
        grid.close()


def _acquired(superlink: str, plain: bool, certificates: bytes | None, secret: Path | None) -> tuple[int, str]:
    """Return a new run and the token of its ServerApp."""
    version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
    with ControlHttpClient.from_server_address(superlink, plain, certificates, [version]) as control:
        data = build_fab_from_disk(APP)
        control.StartRun(StartRunRequest(fab=fab_to_proto(Fab("", data, {}))))
    interceptors: list[Any] = [RuntimeVersionHttpInterceptor(component_name="SuperExec")]
    if secret is not None:
        interceptors.append(
            SuperExecAuthHttpInterceptor(master_secret=secret.read_bytes(), protected_methods=[ACQUIRE])
        )
    with RuntimeHttpClient.from_server_address(superlink, plain, certificates, interceptors) as runtime:
        until = time.monotonic() + OWN_RUN
        while time.monotonic() < until:
            found = runtime.AcquireTask(AcquireTaskRequest(supported_task_types={TaskType.SERVER_APP}))
            if found.HasField("task") and found.token:
                # perhaps of another server that has started one now: all are alike
                return found.task.run_id, found.token
            time.sleep(0.1)
    raise ResourceError(
        f"engine.superlink = {superlink}\n    it has not given the run to this process: "
        "start it with --isolation process"
    )


@contextmanager
def _told_of(superlink: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        reason = said(error)
        if f"code: {NO_SECRET}" in reason:
            reason += " engine.secret must be the file of its --superexec-auth-secret-file"
        raise ResourceError(f"engine.superlink = {superlink}\n    it refuses the run: {reason}") from error
    except httpx.TransportError as error:
        hint = "; it may want TLS (engine.root_certificates)" if isinstance(error, httpx.RemoteProtocolError) else ""
        raise ResourceError(f"engine.superlink = {superlink}\n    it cannot be reached: {error}{hint}") from error
