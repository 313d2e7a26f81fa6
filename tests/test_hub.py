"""Whether the hub can be reached is found out in one short request."""

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest
from huggingface_hub import constants

from fedmezo.hub import hub_reachable


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    hub_reachable.cache_clear()
    yield
    hub_reachable.cache_clear()


def test_a_closed_network_is_no_hub() -> None:
    assert hub_reachable() is False


def test_any_answer_is_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: urllib.request.Request, timeout: float) -> None:
        raise urllib.error.HTTPError(request.full_url, 405, "no HEAD here", Message(), io.BytesIO())

    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: io.BytesIO())
    assert hub_reachable() is True
    hub_reachable.cache_clear()
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    assert hub_reachable() is True


def test_offline_mode_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: io.BytesIO())
    assert hub_reachable() is False
