"""A deployment on this machine's loopback: a SuperLink, nodes and a server, each a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import end_with_this_process
from tests.programs import Program

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[3]
PATIENCE = 90.0  # seconds that any one thing may take


@dataclass
class Loopback:
    """Starts processes, and ends them all when it is left.

    Args:
        folder: of logs, the SuperLink's database, and runs.
        cfg: configuration of server and nodes.
        certificates: a folder of scripts/make_certificates.py; None: plaintext, and no node authentication.
        threads: of every process.
        poll: seconds between two looks of an idle node for orders.
        variables: of the environment of all processes that are started.
    """

    folder: Path
    cfg: Path
    certificates: Path | None = None
    threads: int = 1
    poll: float = 0.1
    variables: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_port())
    processes: dict[str, subprocess.Popen[bytes] | Program] = field(default_factory=dict)

    def __enter__(self) -> "Loopback":
        """Give itself."""
        end_with_this_process()
        return self

    def __exit__(self, *ignored: object) -> None:
        """End all processes."""
        for name in list(self.processes):
            self.kill(name)

    @property
    def address(self) -> str:
        """Of the SuperLink."""
        return f"127.0.0.1:{self.port}"

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process; what it says is in NAME.log, appended. Our own programs start at once."""
        path, environment = self.folder / f"{name}.log", self.environment()
        if [*command[:2]] == [sys.executable, "-m"]:
            self.processes[name] = Program(command[2:], path, environment)
            return
        with path.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def superlink(self, *more: str) -> None:
        """Start the SuperLink, and wait until it answers."""
        command = [
            *(str(BIN / "flower-superlink"), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--isolation", "process", "--database", str(self.folder / "state.db")),
            "--disable-runtime-dependency-installation",
        ]
        if self.certificates is None:
            command.append("--insecure")
        else:
            files = {"--ssl-ca-certfile": "ca.crt", "--ssl-certfile": "server.pem", "--ssl-keyfile": "server.key"}
            files["--superexec-auth-secret-file"] = "secret"
            command += [each for option, file in files.items() for each in (option, str(self.certificates / file))]
            command.append("--enable-supernode-auth")
        self.start("superlink", [*command, *more])
        self.until(lambda: listens(self.port), "the SuperLink does not listen")

    def node(self, client: int, *more: str, name: str = "", key: str = "") -> None:
        """Start a node; ``key``: the name of its file in the certificates' folder."""
        self.start(name or f"node{client}", [*self.node_command(client, key), *more])

    def node_command(self, client: int, key: str = "") -> list[str]:
        """Return the command of a node."""
        command = [
            *(sys.executable, "-m", "fedmezo.node", "--cfg", str(self.cfg)),
            *("--superlink", self.address, "--client", str(client), "--poll", str(self.poll)),
        ]
        if self.certificates is not None:
            command += ["--root-certificates", str(self.certificates / "ca.crt")]
            command += ["--key", str(self.certificates / (key or f"node{client}"))]
        return command

    def serve(self, *overrides: str, name: str = "server") -> None:
        """Start a run on this deployment, in the folder ``runs``."""
        self.start(name, self.server_command(*overrides))

    def resume(self, run: Path, name: str = "server") -> None:
        """Start what is left of a run."""
        self.start(name, [sys.executable, "-m", "fedmezo.main", "--resume", str(run)])

    def ended(self, name: str, patience: float = PATIENCE) -> int:
        """Wait for the end of a process, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it goes on for longer than is reasonable.
        """
        code = self.processes[name].wait(patience)
        del self.processes[name]
        return code

    def register(self, *nodes: int) -> None:
        """Make the keys of nodes known to the SuperLink, as an administrator does."""
        assert self.certificates is not None
        home = self.folder / "flwr"
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(
            f'[superlink.federation]\naddress = "{self.address}"\n'
            f'root-certificates = "{self.certificates.absolute() / "ca.crt"}"\n'
        )
        for node in nodes:
            key = self.certificates / f"node{node}.pub"
            self.call(str(BIN / "flwr"), "supernode", "register", str(key), "federation")

    def server_command(self, *overrides: str) -> list[str]:
        """Return the command of a run on this deployment."""
        secure = []
        if self.certificates is not None:
            secure += ["engine.root_certificates", str(self.certificates / "ca.crt")]
            secure += ["engine.secret", str(self.certificates / "secret")]
        return [
            *(sys.executable, "-m", "fedmezo.main", "--cfg", str(self.cfg), "outdir", str(self.folder / "runs")),
            *("engine.type", "flower", "engine.superlink", self.address, *secure, *overrides),
        ]

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command, env=self.environment(), check=check, capture_output=True, text=True, timeout=2 * PATIENCE
        )

    def kill(self, name: str, number: int = 9) -> None:
        """Send a signal to a process, by default one that it cannot refuse, and wait for its end."""
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        process.wait(PATIENCE)

    def log(self, name: str) -> str:
        """Return what a process has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def said(self, name: str, what: str) -> None:
        """Wait until a process says something."""
        self.until(lambda: what in self.log(name), f"{name} does not say {what!r}")

    def until(self, done: Callable[[], bool], complaint: str) -> None:
        """Wait until a condition, a function without arguments, holds."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"{complaint}\n" + "\n".join(
                f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in self.folder.glob("*.log")
            )
            time.sleep(0.05)

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes."""
        quiet = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "PYTHONUNBUFFERED": "1"}
        own = {"FLWR_HOME": str(self.folder / "flwr"), "OMP_NUM_THREADS": str(self.threads)}
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        return os.environ | quiet | own | {"PYTHONPATH": path} | self.variables


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether somebody listens at a port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
