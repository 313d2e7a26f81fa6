import difflib

import pytest
import torch

from fedmezo.core.errors import ModelUnavailableError, ResourceError
from fedmezo.models.hubs import load_base_model, registry
from tests.models.tiny import NO_CACHE


def test_a_model_that_cannot_be_had_ends_with_the_exit_code_of_resources() -> None:
    assert issubclass(ModelUnavailableError, ResourceError)
    assert ModelUnavailableError.exit_code == 3


@pytest.mark.parametrize("hub", registry.names())
def test_every_hub_refuses_a_model_that_it_does_not_have(hub: str) -> None:
    with pytest.raises(ModelUnavailableError, match=f"^model.type = tiny-lama@{hub}\n"):
        load_base_model(f"tiny-lama@{hub}", dtype=torch.float32, cache=NO_CACHE)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tiny-lama@random_llm", "tiny-llama@random_llm"),
        ("tiny-gp@random_llm", "tiny-gpt2@random_llm"),
        ("SmolLM-135M@package_llm", "SmolLM2-135M-Instruct@package_llm"),
        ("zzz@package_llm", "gemma-3-270m@package_llm"),
    ],
)
def test_hubs_with_a_list_name_the_nearest(name: str, nearest: str) -> None:
    assert difflib.SequenceMatcher(None, name, nearest).ratio() < 1
    with pytest.raises(ModelUnavailableError, match=f"the nearest is {nearest}$"):
        load_base_model(name, dtype=torch.float32, cache=NO_CACHE)
