"""Operations of matrix products, counted while they are made.

Formulas are those of :mod:`torch.utils.flop_counter`, two operations a multiply-add; its own mode knows nothing of the
attention that torch has for CPUs, and follows every module, which costs more. What a product is made of is the same
with and without counting: so is every bit of its result.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import DispatchKey
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from fedmezo.data.batches import Batch
from fedmezo.zeroth_order.scoring.response_logits import Reader


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    """Return the operations of Q K' and of its product with V: [.., S, D] x [.., T, D] and [.., S, T] x [.., T, E]."""
    return 2 * query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _attention_backward(grad: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    """Return the operations of five products, of which the first is that of the forward pass, again."""
    return 2 * query[..., 0].numel() * key.shape[-2] * (3 * query.shape[-1] + 2 * value.shape[-1])


FORMULAS: Mapping[Any, Callable[..., int]] = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of matrix products inside ``with`` blocks, backward passes included.

    Attributes:
        total: so far, of all blocks.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, and count if it is a product; what consists of other operations is taken apart, as torch does."""
        kwargs = kwargs or {}
        formula = FORMULAS.get(func.overloadpacket)
        if formula is None and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        result = func(*args, **kwargs)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=result))
        return result


@cache
def _is_composite(operation: Any) -> bool:
    """Return whether torch computes it by other operations only: what has a kernel, too, rounds otherwise there."""
    has = operation.has_kernel_for_dispatch_key
    return bool(has(DispatchKey.CompositeImplicitAutograd)) and not (has(DispatchKey.CPU) or has(DispatchKey.CUDA))


@torch.inference_mode()
def flops_of_a_forward(model: nn.Module, examples: Iterable[Batch]) -> float:
    """Return the mean number of operations of a plain forward pass of an example: the head at response tokens only.

    Args:
        model: as it is trained, with its adapter.
        examples: batches of one, at least one of them.
    """
    reader, found = Reader(model), []
    for example in examples:
        with FlopCounter() as counter:
            deque(reader.parts(example), maxlen=0)
        found.append(counter.total)
    return fmean(found)
