"""What was saved is what was trained: a few losses with it read back from its files, beside the run's own."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from yacs.config import CfgNode

from fedmezo.assembly import TrainableModel
from fedmezo.assembly.task import assemble_data
from fedmezo.config import defaults
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import FedmezoError, SavedError
from fedmezo.core.log import LOG, RESULT
from fedmezo.data.batches import Batch, collate
from fedmezo.data.federated import FederatedData
from fedmezo.evaluation.metrics.loss import Loss
from fedmezo.evaluation.scoring import batch_sums
from fedmezo.models.adapters import read_adapter, read_model
from fedmezo.models.twin import twin
from fedmezo.zeroth_order.scoring import token_losses

EXAMPLES = 4
TOLERANCE = 1e-4  # of the mean loss of the examples' response tokens
_UNREADABLE = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, SafetensorError)


@dataclass(frozen=True, eq=False)
class Trained:
    """What was trained, by what it makes of a few examples.

    Args:
        trainable: the model.
        batch: the examples.
        loss: of its response tokens, as the run's own scorer computes it.
        rounding: what half precision alone changes of a token's loss, as the root of the mean square; 0 in fp32.
    """

    trainable: TrainableModel
    batch: Batch
    loss: float
    rounding: float

    def check(self, folder: Path, *, whole: bool) -> None:
        """Make sure that a folder gives the same loss, and say so.

        Args:
            folder: that was saved to.
            whole: it holds a model, and not an adapter.

        Raises:
            SavedError: it does not, or cannot be read.
        """
        started = time.perf_counter()
        try:
            saved = self._losses_of(folder, whole).mean().item()
        except _UNREADABLE as error:
            raise _not_trained(folder, f"it cannot be read back: {str(error) or type(error).__name__}") from error
        apart = abs(saved - self.loss)
        seconds, count = time.perf_counter() - started, len(self.batch.labels)
        found = f"loss {saved:.5f} on {count} examples, {self.loss:.5f} as trained{self._told_rounding(apart)}"
        if not apart <= max(TOLERANCE, self.rounding) and np.isfinite(self.loss):
            raise _not_trained(folder, found)
        LOG.log(RESULT, f"{folder} checked in {seconds:.1f} s, read back from its files: {found}")

    def _losses_of(self, folder: Path, whole: bool) -> Tensor:
        if whole:
            return _token_losses(_placed(read_model(folder), self.trainable.parameters.buffer.device), self.batch)
        assert self.trainable.base is not None
        return _token_losses(read_adapter(folder, twin(self.trainable.base), self.trainable.tokenizer), self.batch)

    def _told_rounding(self, apart: float) -> str:
        return f" ({apart:.1g} apart; half precision moves a token's by {self.rounding:.1g})" if self.rounding else ""


def trained(trainable: TrainableModel, point: Tensor, batch: Batch) -> Trained:
    """Return what is to be found again in what is saved of a point [d]."""
    losses, tokens = batch_sums(trainable.scorer, point, batch, [Loss()], as_texts=True)[Loss.name]
    loss = float(losses.sum() / tokens.sum())
    dtype = next((p.dtype for p in trainable.model.parameters() if p.dtype != torch.float32), None)
    if dtype is None:
        return Trained(trainable, batch, loss, 0.0)
    with trainable.scorer.at(point) as model:
        exact = _token_losses(model, batch)
        with _activations_in(model, dtype):
            moved = _token_losses(model, batch) - exact
    return Trained(trainable, batch, loss, moved.square().mean().sqrt().item())


def few_examples(cfg: CfgNode, trainable: TrainableModel, data: FederatedData) -> Batch:
    """Return the shortest evaluated examples."""
    splits = (data.partition.union(split) for split in cfg.eval.split)
    evaluated = np.concatenate(list(splits))
    lengths = np.diff(data.encoded.offsets)[evaluated]
    chosen = evaluated[np.argsort(lengths, kind="stable")[:EXAMPLES]]
    return collate(data.encoded, chosen, trainable.tokenizer.pad_id)


def data_of(cfg: CfgNode, trainable: TrainableModel) -> FederatedData:
    """Return the data of a run, or generated ones where they are gone."""
    cache = cache_folder(cfg.llm.cache.model)
    try:
        return assemble_data(cfg, trainable.tokenizer, cache)
    except FedmezoError as error:
        LOG.warning(f"checked on word problems instead of the run's data, which cannot be had: {error}")
    generated = cfg.clone()
    generated.defrost()
    generated.data, generated.federate.client_num = defaults().data, 1
    return assemble_data(generated, trainable.tokenizer, cache)


@torch.inference_mode()
def _token_losses(model: Any, batch: Batch) -> Tensor:
    """Return the loss of every response token, fp64 [n]."""
    losses, _ = token_losses(model, batch)
    return losses.double()


def _placed(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a model on a device, or on the CPU, where it is, if there is no room for it."""
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return model.to(device) if device.type == "cpu" or size < torch.cuda.mem_get_info(device)[0] else model


@contextmanager
def _activations_in(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Round what every layer gives to a dtype inside the block, as a model that computes in it does."""

    def rounded(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (rounded(module, inputs, output[0]), *output[1:])
        return output.to(dtype).to(output.dtype) if isinstance(output, Tensor) else output

    with ExitStack() as hooks:
        for module in model.modules():
            hooks.callback(module.register_forward_hook(rounded).remove)
        yield


def _not_trained(folder: Path, reason: str) -> SavedError:
    return SavedError(
        f"{folder}\n    what was saved is not what was trained: {reason}\n"
        "    do not use it; the ledger of the run holds the training all the same, and fedmezo replay RUN "
        "--export adapter writes it anew"
    )
