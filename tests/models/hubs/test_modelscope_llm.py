import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.models.hubs import load_base_model
from tests.models.test_tokenizers import bpe
from tests.models.tiny import NO_CACHE, bits, tiny_base


def client(monkeypatch: pytest.MonkeyPatch, download: Any) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", download and SimpleNamespace(snapshot_download=download))


def test_a_model_is_downloaded_and_loaded_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_base().save_pretrained(tmp_path)
    bpe(size=259).save_pretrained(tmp_path)
    asked: list[str] = []

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert not {"*", "*.bin", "*.pt"} & set(allow_patterns)
        return str(tmp_path)

    client(monkeypatch, download)
    base = load_base_model("owner/name@modelscope_llm", dtype=torch.bfloat16, cache=NO_CACHE)
    assert asked == ["owner/name"]
    assert bits(base.model) == bits(tiny_base(torch.bfloat16))
    assert base.tokenizer.decode(base.tokenizer.encode(["slow"], special=True)[0]) == "slow"


def test_pickles_are_downloaded_where_there_is_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    folder = tmp_path / "folder"
    tiny_base().save_pretrained(folder)
    bpe().save_pretrained(folder)
    (folder / "model.safetensors").unlink()

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        if "pytorch_model*.bin" in allow_patterns:
            torch.save(tiny_base().state_dict(), folder / "pytorch_model.bin")
        return str(folder)

    client(monkeypatch, download)
    base = load_base_model("owner/name@modelscope_llm", dtype=torch.float32, cache=tmp_path / "cache")
    assert len(asked) == 2 and bits(base.model) == bits(tiny_base())


class HubError(Exception):
    """Any of the client's own."""


@pytest.mark.parametrize(
    ("error", "words"), [(HubError("no such model\nsee ..."), "no such model$"), (HubError(), "HubError$")]
)
def test_what_the_hub_does_not_give_is_unavailable(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(name: str, **options: Any) -> str:
        raise error

    client(monkeypatch, download)
    with pytest.raises(ModelUnavailableError, match=rf"^model.type = a/b@modelscope_llm\n    .* give it: {words}"):
        load_base_model("a/b@modelscope_llm", dtype=torch.float32, cache=NO_CACHE)


def test_without_the_client_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    client(monkeypatch, None)
    with pytest.raises(ModelUnavailableError, match=r"pip install -e \.\[modelscope\]"):
        load_base_model("a/b@modelscope_llm", dtype=torch.float32, cache=NO_CACHE)
