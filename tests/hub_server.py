"""A hub on this machine: folders served as models by the protocol of the Hugging Face hub, or anything else said."""

import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Hub:
    """Models by their names, and what was asked for.

    Attributes:
        models: the folder of each.
        refusal: a status and headers that every question about a model is answered with.
        asked: the paths of all requests.
    """

    models: dict[str, Path] = field(default_factory=dict)
    refusal: tuple[int, dict[str, str]] | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def files(self) -> list[str]:
        """Return the names of the files that were downloaded."""
        return sorted({path.rpartition("/")[2] for path in self.asked if "/resolve/" in path})

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer as the hub does."""
        path = unquote(urlsplit(handler.path).path)
        self.asked.append(path)
        if path == "/":
            return reply(handler, b"the hub")
        if self.refusal:
            return reply(handler, b"", *self.refusal)
        for name, folder in self.models.items():
            if path.startswith(f"/api/models/{name}"):
                return reply(handler, json.dumps(about(name, folder, tree="/tree/" in path)).encode())
            if path.startswith(f"/{name}/resolve/{COMMIT}/"):
                return give(handler, folder / path.removeprefix(f"/{name}/resolve/{COMMIT}/"))
        return reply(handler, b"", 404, {"X-Error-Code": "RepoNotFound"})


def about(name: str, folder: Path, tree: bool) -> object:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if tree:
        return [
            {"type": "file", "path": each, "size": (folder / each).stat().st_size, "oid": tag(folder / each)}
            for each in names
        ]
    return {"id": name, "modelId": name, "sha": COMMIT, "siblings": [{"rfilename": each} for each in names]}


def tag(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:40]


def give(handler: BaseHTTPRequestHandler, path: Path) -> None:
    if not path.is_file():
        return reply(handler, b"", 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
    return reply(handler, path.read_bytes(), 200, {"ETag": f'"{tag(path)}"', "X-Repo-Commit": COMMIT})


def reply(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@contextmanager
def served(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer every request so, inside the block; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *args: object) -> None:
            """Say nothing where a client has gone."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
