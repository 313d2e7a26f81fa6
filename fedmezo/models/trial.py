"""A model tried before it is trained: parameters and predictions are numbers, and no prediction knows what follows."""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fedmezo.core.errors import FaultyModelError
from fedmezo.models.faults import telling_faults
from fedmezo.models.tokenizers import ModelTokenizer

TEXT = "The quick brown fox jumps over the lazy dog."
LENGTH = 8  # tokens of it
ROUNDING = 1e-3  # of the largest logit; what precedes a changed token is computed alike, to the bit almost everywhere


@torch.inference_mode()
def check_working(model: PreTrainedModel, tokenizer: ModelTokenizer) -> None:
    """Make sure that a model predicts each token of a text from those before it.

    Args:
        model: on the device where it is to work.
        tokenizer: of it.

    Raises:
        FaultyModelError: it fails, its numbers are not finite, or it is no causal language model.
    """
    for name, parameter in model.named_parameters():
        if not _finite(parameter):
            raise FaultyModelError(f"the weights: {name} holds values that are not finite in {parameter.dtype}")
    ids = tokenizer.encode([TEXT], special=True)[0][:LENGTH]
    if len(ids) < 2:
        raise FaultyModelError(f"the tokenizer makes {len(ids)} tokens of {TEXT!r}, and at least 2 are expected")
    others = [*ids[:-1], ids[0] if ids[-1] != ids[0] else ids[1]]
    with telling_faults(f"{type(model).__name__} fails at a first text"):
        found, changed = _logits(model, ids), _logits(model, others)
    if not _finite(found):
        raise FaultyModelError(f"{type(model).__name__} predicts values that are not finite")
    if (found - changed)[:-1].abs().max() > ROUNDING * found.abs().max():
        raise FaultyModelError(
            f"{type(model).__name__} is no causal language model: what it predicts depends on the tokens that follow"
        )


def _logits(model: nn.Module, ids: list[int]) -> Tensor:
    """Return the logits of a sequence, fp32 [L, V]."""
    device = next(model.parameters()).device
    logits: Tensor = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits
    return logits[0].float()


def _finite(tensor: Tensor) -> bool:
    """Return whether all values are finite; no copy is made."""
    if tensor.numel() == 0 or tensor.device.type == "meta" or not tensor.is_floating_point():
        return True
    return all(bool(torch.isfinite(bound)) for bound in tensor.aminmax())
