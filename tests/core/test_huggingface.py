"""The hub, played by a server on this machine: what is downloaded, and what is said where nothing is."""

import http.server
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from fedmezo.core import huggingface as our_hub
from fedmezo.core.errors import ModelUnavailableError
from fedmezo.core.huggingface import hub_reachable, needed, why_unreachable
from fedmezo.models.hubs import BaseModel, load_base_model
from fedmezo.models.tokenizers import ByteTokenizer
from tests.certificates import make_certificates
from tests.hub_server import Hub, reply, served
from tests.models.tiny import bits, tiny_base

SMALL = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(autouse=True)
def asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask the hub anew in each test, with a cache of its own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    why_unreachable.cache_clear()
    yield
    why_unreachable.cache_clear()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Return the hub that is asked."""
    here = Hub()
    with served(here.answer) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", url, raising=False)
        yield here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a model with its weights in both formats, and what is no part of it."""
    path = tmp_path / "model"
    tiny_base().save_pretrained(path)
    ByteTokenizer().tokenizer.save_pretrained(path)
    torch.save(tiny_base().state_dict(), path / "pytorch_model.bin")
    (path / "original").mkdir()
    shutil.copy(path / "model.safetensors", path / "original")
    return path


def load(name: str, tmp_path: Path) -> BaseModel:
    return load_base_model(f"{name}@huggingface_llm", dtype=torch.float32, cache=tmp_path / "cache")


def refusal(name: str = "ours/nothing") -> str:
    """Return why the hub does not give a model."""
    with pytest.raises(ModelUnavailableError) as caught:
        load_base_model(f"{name}@huggingface_llm", dtype=torch.float32, cache=Path("unused"))
    assert caught.value.exit_code == 3
    first, second = str(caught.value).split("\n")
    assert first == f"model.type = {name}@huggingface_llm"
    place, told, reason = second.partition(", and the hub does not give it: ")
    assert place.startswith(f"    there is no folder {name!r}") and told
    return reason


def test_a_closed_network_is_no_hub() -> None:
    assert hub_reachable() is False


def test_any_answer_is_a_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_reachable() is True
    why_unreachable.cache_clear()
    with served(lambda handler: reply(handler, b"", 405)) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        assert hub_reachable() is True


def test_offline_mode_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub_reachable() is False and hub.asked == []


def test_a_model_is_downloaded_in_safetensors_alone_and_bears_its_name(hub: Hub, folder: Path, tmp_path: Path) -> None:
    hub.models["ours/model"] = folder
    base = load("ours/model", tmp_path)
    assert bits(base.model) == bits(tiny_base()) and base.model.name_or_path == "ours/model"
    assert hub.files() == sorted([*SMALL, "model.safetensors"])


def test_a_model_without_safetensors_is_downloaded_and_converted(hub: Hub, folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    hub.models["ours/model"] = folder
    base = load("ours/model", tmp_path)
    assert bits(base.model) == bits(tiny_base()) and base.model.name_or_path == "ours/model"
    assert hub.files() == sorted([*SMALL, "pytorch_model.bin"])


def test_an_earlier_download_is_used_where_the_hub_fails(
    hub: Hub, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["ours/model"] = folder
    load("ours/model", tmp_path)
    hub.refusal = (503, {})
    with caplog.at_level("INFO", "fedmezo"):
        assert bits(load("ours/model", tmp_path).model) == bits(tiny_base())
    assert "an earlier download is used (it answers 503 Service Unavailable)" in caplog.text
    why_unreachable.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert bits(load("ours/model", tmp_path).model) == bits(tiny_base())
    assert hub.asked == []


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin", "model.fp16.safetensors"], ["model.safetensors"]),
        (["model.safetensors.index.json", "model-1-of-2.safetensors", "pytorch_model.bin", "consolidated.safetensors"],
         ["model.safetensors.index.json", "model-1-of-2.safetensors"]),
        (["pytorch_model.bin.index.json", "pytorch_model-1-of-2.bin", "flax_model.msgpack"],
         ["pytorch_model.bin.index.json", "pytorch_model-1-of-2.bin"]),
        (["config.json", "tokenizer.model", "onnx/config.json", "README.md", "additional_chat_templates/tool.jinja"],
         ["config.json", "tokenizer.model", "additional_chat_templates/tool.jinja"]),
    ],
)  # fmt: skip
def test_weights_are_wanted_in_one_format(files: list[str], chosen: list[str]) -> None:
    assert needed(files) == chosen


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, "it is not there, or it is private"),
        (403, {"X-Error-Code": "GatedRepo"}, "access to it is restricted.* HF_TOKEN"),
        (
            401,
            {"X-Error-Message": "Invalid credentials in Authorization header"},
            "it answers 401 .*HF_TOKEN is refused",
        ),
        (403, {}, "it answers 403 Forbidden: HF_TOKEN"),
        (503, {}, "it answers 503 Service Unavailable$"),
        (307, {"Location": "/api/models/ours/nothing"}, "redirect"),
        (302, {"Location": "http://[::1"}, "."),
    ],
)
def test_what_the_hub_answers_is_told(hub: Hub, status: int, headers: dict[str, str], words: str) -> None:
    hub.refusal = (status, headers)
    assert re.search(words, refusal())


def nonsense(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"please log in\r\n\r\n")


def log_in(handler: http.server.BaseHTTPRequestHandler) -> None:
    reply(handler, b"<html>log in</html>", 200, {"Content-Type": "text/html"})


def loop(handler: http.server.BaseHTTPRequestHandler) -> None:
    reply(handler, b"", 302, {"Location": handler.path})


def trickle(handler: http.server.BaseHTTPRequestHandler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("answer", [nonsense, log_in, loop, trickle])
def test_a_captive_portal_is_one_message_in_bounded_time(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_hub, "TIMEOUT", 0.3)
    with served(answer) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        assert refusal()


def test_a_hub_that_stops_in_the_middle_of_an_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def after_hello(handler: http.server.BaseHTTPRequestHandler) -> None:
        return reply(handler, b"") if handler.path == "/" else trickle(handler)

    monkeypatch.setattr(our_hub, "PATIENCE", 0.5)
    with served(after_hello) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        assert refusal() == "no answer in time"


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_certificates(str(tmp_path / "tls"), "--nodes", "1", "--host", "127.0.0.1") == 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "tls/server.pem", tmp_path / "tls/server.key")
    with served(Hub().answer, tls) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        assert "certificate verify failed" in refusal()
