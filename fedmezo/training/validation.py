"""What is checked of a trainer's answer before it travels."""

import math

import numpy as np
from torch import Tensor

from fedmezo.core.extensions import defined_at
from fedmezo.training import LocalUpdate, LocalWork, Trainer


class ContractError(Exception):
    """A trainer's answer is not what it should be; the message names file and line."""


def checked_update(trainer: Trainer, update: LocalUpdate, start: Tensor, work: LocalWork) -> LocalUpdate:
    """Return the update.

    Raises:
        ContractError: it holds something else than ``trainer.sends`` says, or not of the right shape.
    """
    if wrong := _fault(trainer.sends, update, start, work):
        raise ContractError(f"{defined_at(trainer.train)}: train returned {wrong}")
    return update


def _fault(sends: str, update: object, start: Tensor, work: LocalWork) -> str:
    """Return what is wrong with an update; empty where nothing is."""
    if not isinstance(update, LocalUpdate):
        return f"{type(update).__name__}, expected LocalUpdate"
    if not isinstance(update.examples, int) or update.examples < 0 or math.isinf(update.train_loss):
        return f"examples = {update.examples}, train_loss = {update.train_loss}"
    if sends == "weights":
        fine = isinstance(update.point, Tensor) and update.point.shape == start.shape and update.gradients is None
        return "" if fine else f"no point of shape {list(start.shape)}, or gradients beside it"
    values, queries = update.gradients, len(work.keys[0])
    shaped = isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == queries
    if values is None or not shaped or not 1 <= len(values) <= work.steps or update.point is not None:
        return f"no array of gradients of shape [1 to {work.steps}, {queries}], or a point beside it"
    return "" if np.isfinite(values).all() else "gradients that are not finite (a failed one is 0, and in `failed`)"
