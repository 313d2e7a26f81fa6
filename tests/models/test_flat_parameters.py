import hashlib
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fedmezo.core.errors import ConfigurationError
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.hashing import point_hash
from fedmezo.zeroth_order.scoring import CopyInScorer

Layout = dict[str, list[int]]
LAYOUTS = st.dictionaries(
    st.text("abz", min_size=1, max_size=3), st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=6
)


def module(layout: Layout) -> nn.Module:
    """Return a module whose parameters count up from 0, each its own."""
    model = nn.Module()
    for number, (name, shape) in enumerate(layout.items()):
        values = 100.0 * number + torch.arange(torch.Size(shape).numel(), dtype=torch.float32)
        model.register_parameter(f"p_{name}", nn.Parameter(values.view(shape)))
    return model


@settings(max_examples=50, deadline=None)
@given(LAYOUTS)
def test_the_buffer_holds_the_parameters_in_the_order_of_their_names(layout: Layout) -> None:
    model = module(layout)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    parameters = FlatParameters(model)
    assert [span.name for span in parameters.spans] == sorted(before)
    assert torch.equal(parameters.buffer, torch.cat([before[name].flatten() for name in sorted(before)]))
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


@settings(max_examples=50, deadline=None)
@given(LAYOUTS)
def test_flatten_undoes_tensors(layout: Layout) -> None:
    parameters = FlatParameters(module(layout))
    vector = torch.arange(parameters.size, dtype=torch.float32)
    tensors = parameters.tensors(vector)
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {
        f"p_{name}": shape for name, shape in layout.items()
    }
    assert torch.equal(parameters.flatten(tensors), vector)


@settings(max_examples=50, deadline=None)
@given(LAYOUTS)
def test_decay_runs_are_maximal_and_cover_the_flat_index(layout: Layout) -> None:
    parameters = FlatParameters(module(layout))
    runs = parameters.decay_runs()
    assert [start for start, _, _ in runs] == [0, *(stop for _, stop, _ in runs[:-1])]
    assert runs[-1][1] == parameters.size
    assert all(one[2] != other[2] for one, other in pairwise(runs))
    wanted = [len(layout[name]) > 1 for name in sorted(layout) for _ in range(torch.Size(layout[name]).numel())]
    assert [decays for start, stop, decays in runs for _ in range(start, stop)] == wanted


@settings(max_examples=100, deadline=None)
@given(LAYOUTS, LAYOUTS)
def test_hashes_agree_exactly_where_names_and_shapes_do(one: Layout, other: Layout) -> None:
    hashes = [FlatParameters(module(layout)).layout_hash() for layout in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)
    assert FlatParameters(module(dict(reversed(one.items())))).layout_hash() == hashes[0]


def test_a_matrix_and_its_transpose_have_other_hashes() -> None:
    layouts: list[Layout] = [{"a": [2, 3]}, {"a": [3, 2]}, {"a": [6]}, {"b": [2, 3]}]
    assert len({FlatParameters(module(layout)).layout_hash() for layout in layouts}) == 4


def test_what_is_written_into_the_buffer_the_model_computes_with() -> None:
    model = nn.Linear(2, 1)
    objects = list(model.parameters())
    parameters = FlatParameters(model)  # bias, then weight
    parameters.buffer.copy_(torch.tensor([0.5, 2.0, 3.0]))
    assert model(torch.tensor([1.0, 10.0])).item() == 32.5
    assert all(one is other for one, other in zip(objects, model.parameters(), strict=True))


def test_frozen_parameters_stay_out() -> None:
    model = nn.Linear(2, 1)
    model.weight.requires_grad_(False)
    assert [span.name for span in FlatParameters(model).spans] == ["bias"]


def test_tied_parameters_are_one() -> None:
    embedding, head = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)
    head.weight = embedding.weight
    parameters = FlatParameters(nn.ModuleDict({"embedding": embedding, "head": head}))
    parameters.buffer.fill_(1.5)
    assert parameters.size == 6
    assert torch.equal(head.weight, torch.full((2, 3), 1.5))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("first", [torch.float32, torch.bfloat16])
def test_masters_are_all_float32_or_all_bfloat16(first: torch.dtype, dtype: torch.dtype) -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2, dtype=first), "b": nn.Linear(2, 2, dtype=dtype)})
    if first == dtype:
        assert FlatParameters(model).buffer.dtype == first
        return
    name, blamed = ("b", dtype) if first == torch.float32 else ("a", first)  # the first that is not float32
    words = rf"{name}\.bias is {blamed}: trainable parameters must be float32, or all of them bfloat16$"
    with pytest.raises(ConfigurationError, match=rf"^train\.is_enable_half\n    {words}"):
        FlatParameters(model)


def test_float16_is_no_master() -> None:
    with pytest.raises(ConfigurationError, match=r"bias is torch\.float16: trainable"):
        FlatParameters(nn.Linear(2, 2, dtype=torch.float16))


def test_a_half_precision_buffer_is_what_the_model_computes_with_and_has_its_own_hash() -> None:
    model = nn.Linear(2, 1, dtype=torch.bfloat16)
    parameters = FlatParameters(model)
    parameters.write(torch.tensor([0.5, 2.0, 3.0]))
    assert model(torch.tensor([1.0, 10.0]).bfloat16()).item() == 32.5
    assert model.weight.data_ptr() == parameters.buffer[1:].data_ptr()
    words = parameters.buffer.view(torch.int16).numpy().astype("<i2").tobytes()
    assert point_hash(parameters.buffer) == hashlib.blake2b(words, digest_size=16).digest()


def test_tensors_that_do_not_fit_are_refused() -> None:
    parameters = FlatParameters(nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"weight has shape \(2, 3\), expected \(3, 2\)"):
        parameters.flatten({"bias": torch.zeros(3), "weight": torch.zeros(2, 3)})
    with pytest.raises(KeyError, match="weight"):
        parameters.flatten({"bias": torch.zeros(3)})


class Elsewhere(nn.Parameter):
    """A parameter that says it is on another device."""

    device = torch.device("cuda", 7)


def test_parameters_on_other_devices_are_copies_that_are_written_and_read_back() -> None:
    model = nn.ModuleDict({"here": nn.Linear(2, 2), "there": nn.Linear(2, 2)})
    model["there"].weight = Elsewhere(torch.arange(4.0).view(2, 2))
    parameters = FlatParameters(model, torch.device("cpu"))
    start, there = parameters.buffer.clone(), model["there"].weight
    assert parameters.flatten(dict(model.named_parameters())).equal(start)
    parameters.write(start + 1)
    assert parameters.flatten(dict(model.named_parameters())).equal(start + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    assert not parameters.buffer.equal(2 * (start + 1))  # what is elsewhere is not seen yet
    assert parameters.gather().equal(2 * (start + 1))
    scorer = CopyInScorer(model, parameters)
    with scorer.at(start):
        assert there.flatten().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert there.flatten().tolist() == [2.0, 4.0, 6.0, 8.0]


def test_a_model_with_nothing_to_train_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="leaves nothing to train"):
        FlatParameters(nn.Linear(2, 2).requires_grad_(False))


@pytest.mark.gpu
def test_parameters_on_a_gpu_follow_a_buffer_on_the_cpu() -> None:
    there = nn.Linear(2, 2).cuda()
    model = nn.ModuleDict({"here": nn.Linear(2, 2), "there": there})
    parameters = FlatParameters(model, torch.device("cpu"))
    parameters.write(torch.arange(12.0))
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu", "cuda"}
    assert parameters.flatten(dict(model.named_parameters())).equal(torch.arange(12.0))
    with torch.no_grad():
        there.bias.fill_(7.0)
    assert parameters.gather()[6:8].tolist() == [7.0, 7.0]
