"""Whether a model's layers are a plain chain, in which each needs nothing but the output of the one below."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fedmezo.data.batches import Batch
from fedmezo.models.blocks import BEFORE, causal_model, decoder_layers
from fedmezo.zeroth_order.scoring.ascent import Ascent, States
from fedmezo.zeroth_order.scoring.pair_split import UnsplittableError

CLOSE = 1e-4  # of the largest state
PROBE = 8  # tokens of an example


@torch.inference_mode()
def obstacle(model: nn.Module, starts: Sequence[int]) -> str | None:
    """Return why lanes cannot join a model's forward before some layers; None where they can, tried on two examples."""
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return "the model spans several devices"
    layers, batch = decoder_layers(model), _probe(next(model.parameters()).device)
    joins = [start for start in starts if start >= 0]
    states = States(frozenset(joins))
    try:
        whole = _decoded(model, batch)
        every = _ascended(model, batch, Ascent(layers, [BEFORE, *joins], 2, states))
        last = _ascended(model, batch, Ascent(layers, joins[-1:] or [BEFORE], 2, states))
    except (UnsplittableError, RuntimeError, IndexError, TypeError) as error:
        return str(error).splitlines()[0]
    mask = batch.attention_mask.bool()
    wanted = whole[mask]
    tolerance = max(CLOSE, 8 * torch.finfo(whole.dtype).eps) * float(wanted.abs().max())
    for lane in (*every.chunk(1 + len(joins)), last):
        if not torch.allclose(lane[mask], wanted, rtol=0, atol=tolerance):
            return "layers need more of the layers below them than their output"
    return None


def _probe(device: torch.device) -> Batch:
    ids = torch.arange(1, 1 + 2 * PROBE, device=device).view(2, PROBE)
    mask = torch.ones_like(ids)
    mask[1, PROBE // 2 :] = 0
    return Batch(ids, mask, ids, torch.arange(2).numpy())


def _decoded(model: nn.Module, batch: Batch) -> Tensor:
    decoder = causal_model(model).get_decoder()
    states: Tensor = decoder(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False
    ).last_hidden_state
    return states


def _ascended(model: nn.Module, batch: Batch, ascent: Ascent) -> Tensor:
    with ascent.on():
        return _decoded(model, ascent.rows(batch))
