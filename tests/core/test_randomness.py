import ast
import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from yacs.config import CfgNode

import fedmezo
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.core.randomness import ABSENT, Purpose, generator, preserved_torch_state, stream_key

SOURCES = sorted(Path(fedmezo.__file__).parent.rglob("*.py"))
PURPOSES = get_args(Purpose)
SEEDS = st.integers(0, 2**63 - 1)
PLACES = st.integers(ABSENT, 2**63 - 1)
STREAMS = st.tuples(SEEDS, st.sampled_from(PURPOSES), PLACES, PLACES, PLACES, PLACES)
Stream = tuple[int, Purpose, int, int, int, int]


def key_of(stream: Stream) -> int:
    seed, purpose, round_index, client, step, query = stream
    return stream_key(seed, purpose, round_index=round_index, client=client, step=step, query=query)


def documented_key(stream: Stream) -> int:
    """Return the key from the layout in the module's docstring, without struct."""
    seed, purpose, *places = stream
    numbers = [place.to_bytes(8, "little", signed=True) for place in (seed, *places)]
    packed = numbers[0] + purpose.encode("utf-8").ljust(16, b"\0") + b"".join(numbers[1:])
    return int.from_bytes(hashlib.blake2b(packed, digest_size=64).digest()[:8], "little") % 2**63


@given(STREAMS)
def test_keys_have_the_documented_layout(stream: Stream) -> None:
    assert key_of(stream) == documented_key(stream)


def test_keys_are_the_committed_ones() -> None:
    assert stream_key(0, "sample", round_index=3) == 6202854829123636052
    assert stream_key(2**63 - 1, "direction", round_index=1, client=2, step=3, query=4) == 1185619858221971311
    assert generator(stream_key(0, "sample", round_index=3)).integers(0, 1000, 4).tolist() == [800, 869, 591, 246]


@given(STREAMS, STREAMS)
def test_other_coordinates_have_another_key(one: Stream, other: Stream) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)


@given(st.lists(st.tuples(*[st.integers(ABSENT, 3)] * 4), unique=True, min_size=2, max_size=50))
def test_neighbouring_coordinates_do_not_collide(places: list[tuple[int, int, int, int]]) -> None:
    streams: list[Stream] = [(7, "direction", *place) for place in places]
    assert len({key_of(stream) for stream in streams}) == len(places)


@given(STREAMS)
def test_keys_have_63_bits(stream: Stream) -> None:
    assert 0 <= key_of(stream) < 2**63


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**63])
def test_a_seed_that_does_not_fit_is_refused(seed: int) -> None:
    with pytest.raises(struct.error):
        stream_key(seed, "init")


@settings(max_examples=20)
@given(SEEDS)
def test_equal_keys_give_equal_draws(key: int) -> None:
    assert generator(key).normal(size=5).tolist() == generator(key).normal(size=5).tolist()
    assert generator(key).normal() != generator((key + 1) % 2**63).normal()


def global_states() -> tuple[object, ...]:
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    numpy_key = numpy_state["state"]["key"].tobytes(), numpy_state["state"]["pos"], numpy_state["gauss"]
    return random.getstate(), numpy_key, torch.get_rng_state().numpy().tobytes()


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_a_run_leaves_the_global_generators_alone(trainer: str, tiny_cfg: CfgNode) -> None:
    tiny_cfg.defrost()
    tiny_cfg.trainer.type = trainer
    tiny_cfg.llm.adapter.args = ({"adapter_method": "lora", "r": 4, "lora_dropout": 0.5},)
    before = global_states()
    task = assemble_learning_task(tiny_cfg)  # the random model, the data, the adapter, its initial parameters
    federation = assemble_federation(tiny_cfg, task)
    assert global_states() == before
    plan = federation.server.plan(0)
    federation.server.aggregate(plan, federation.engine.run(plan, federation.server.parameters))
    assert global_states() == before


def test_a_preserved_state_is_restored_whatever_happens_inside() -> None:
    before = global_states()
    with preserved_torch_state(5):
        first = torch.rand(3)
    with pytest.raises(KeyError), preserved_torch_state(5):
        assert torch.equal(torch.rand(3), first)
        raise KeyError
    with preserved_torch_state(6):
        assert not torch.equal(torch.rand(3), first)
    with preserved_torch_state():
        torch.rand(3)
    assert global_states() == before


# What would draw from, seed or read a global generator; methods count on any object.
OF_TORCH = {"manual_seed", "seed", "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
METHODS = {"manual_seed_all", "set_rng_state", "normal_", "uniform_", "random_", "bernoulli_", "exponential_"}


def global_draws(source: str) -> Iterator[str]:
    """Yield what of a source draws from a global generator, or makes one that no stream key names."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in ("random", "secrets"))
            case ast.ImportFrom(module="random" | "secrets" | "numpy.random" | "torch.random" as module):
                yield module
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"), attr=name):
                yield from [f"numpy.random.{name}"] * (name != "Generator")
            case ast.Attribute(value=ast.Name(id="torch"), attr=name) if name in OF_TORCH:
                yield f"torch.{name}"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="torch"), attr="random" | "cuda"), attr=name):
                yield from [f"torch.random.{name}"] * (name in OF_TORCH | METHODS | {"fork_rng"})
            case ast.Attribute(attr=name) if name in METHODS:
                yield name


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "from random import shuffle",
        "np.random.seed(0)",
        "np.random.default_rng()",
        "torch.manual_seed(0)",
        "torch.randn(3)",
        "torch.cuda.manual_seed_all(0)",
        "weight.normal_()",
    ],
)
def test_the_search_finds_a_global_draw(line: str) -> None:
    assert len(list(global_draws(line))) == 1


def test_one_file_alone_makes_generators() -> None:
    assert len(SOURCES) > 50
    found = {path.name: list(global_draws(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {name for name, draws in found.items() if draws} == {"randomness.py"}
    assert sorted(found["randomness.py"]) == [
        "numpy.random.Philox",
        "random",
        "torch.random.fork_rng",
        "torch.random.manual_seed",
    ]
