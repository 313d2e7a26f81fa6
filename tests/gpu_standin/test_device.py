"""The stand-in itself: it refuses what a GPU refuses, and counts what a GPU would do."""

import pytest
import torch

from fedmezo.core.directions import accumulate, torch_kernel
from fedmezo.core.directions.task import Task
from tests.gpu_standin import device
from tests.gpu_standin.device import counted

pytestmark = [pytest.mark.gpu, pytest.mark.standin]


def test_torch_finds_two_devices() -> None:
    assert torch.cuda.is_available() and torch.cuda.device_count() == 2
    assert torch.cuda.get_device_name(1) == device.NAME
    assert torch.cuda.is_bf16_supported(including_emulation=False)


def test_values_are_those_of_the_cpu() -> None:
    here, there = torch.linspace(-1, 1, 12), torch.linspace(-1, 1, 12, device="cuda:1")
    for x in (here, there):
        x.view(3, 4)[1].mul_(2)
        x[::2] = 7
    assert there.device == torch.device("cuda", 1) and torch.equal(there.cpu(), here)
    product = there.view(3, 4) @ there.view(4, 3)
    assert product.device == there.device and torch.equal(product.cpu(), here.view(3, 4) @ here.view(4, 3))
    assert torch.equal(torch.cat([there, product.flatten()]).topk(3).values.cpu(), torch.cat([here, product.flatten().cpu()]).topk(3).values)  # fmt: skip # noqa: E501


def test_gradients_are_those_of_the_cpu() -> None:
    slopes = []
    for place in ("cpu", "cuda:0"):
        x = torch.linspace(-1, 1, 6, device=place).view(2, 3).requires_grad_()
        (x.tanh() @ x.T).square().sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None and x.grad.device == x.device
        slopes.append(x.grad.cpu())
    assert torch.equal(*slopes)


@pytest.mark.parametrize("other", ["cpu", "cuda:0"])
def test_devices_do_not_mix(other: str) -> None:
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device="cuda:1") + torch.ones(3, device=other)
    with pytest.raises(RuntimeError, match="same device"):
        torch.cat([torch.ones(3, device="cuda:1"), torch.ones(3, device=other)])
    assert (torch.ones(3, device="cuda:1") + torch.tensor(1.0)).tolist() == [2, 2, 2]  # numbers go with any


def test_the_current_device_is_where_cuda_is() -> None:
    with torch.cuda.device(1):
        assert torch.empty(1, device="cuda").device.index == torch.cuda.current_device() == 1
    assert torch.empty(1, device="cuda").device.index == torch.cuda.current_device() == 0


def test_launches_waits_and_copies_are_counted() -> None:
    x = torch.ones(8, device="cuda")
    with counted() as found:
        y = (x + 1).mul_(2)
        y.view(2, 4).T[0]
    assert sum(found.launches.values()) == 2 and not found.waits and not found.copies
    with counted() as found:
        assert y.sum().item() == 32
        y.nonzero()
        y[y > 0]
        y[y > 0] = 2
    assert sum(found.waits.values()) == 4
    with counted() as found:
        torch.ones(4).to("cuda")
        torch.ones(4).pin_memory().to("cuda", non_blocking=True)
        x.cpu()
    assert found.copies == {"to the device": 2, "to the host": 1} and found.copied["to the device"] == 32
    assert sum(found.waits.values()) == 2  # what is pinned does not wait


def test_attention_is_one_launch_where_nothing_learns() -> None:
    q = torch.linspace(-1, 1, 64, device="cuda").view(1, 2, 4, 8)
    with counted() as found:
        y = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    assert sum(found.launches.values()) == 1
    wanted = torch.nn.functional.scaled_dot_product_attention(q.cpu(), q.cpu(), q.cpu(), is_causal=True)
    assert torch.allclose(y.cpu(), wanted, atol=1e-6)


def test_memory_is_that_of_a_device() -> None:
    torch.cuda.reset_peak_memory_stats(1)
    before, other = torch.cuda.max_memory_allocated(1), torch.cuda.max_memory_allocated(0)
    torch.empty(1 << 20, device="cuda:1").exp()
    assert torch.cuda.max_memory_allocated(1) - before == 8 << 20
    assert torch.cuda.max_memory_allocated(0) == other and torch.cuda.memory_allocated(1) == before


@pytest.mark.parametrize("index", [0, 1])
def test_the_kernel_is_launched_on_the_vectors_device(index: int) -> None:
    found = torch.zeros(300, device=f"cuda:{index}")
    with counted() as counts:
        accumulate(found, [3, 4], [0.5, -1.0], start=7)
    assert counts.launches["triton"] == 1 and torch.cuda.current_device() == 0
    wanted = torch.zeros(300)
    torch_kernel.accumulate(Task(wanted, wanted.clone(), None, (3, 4), (0.5, -1.0), "gaussian", 7))
    assert torch.equal(found.cpu(), wanted)
