"""The zeroth-order step as it is published, to be compared with."""

import torch
from torch import Tensor, nn

from fedmezo.data.batches import Batch, on_device


def inputs(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Return what a model of transformers is called with for its loss, where it is."""
    device = next(model.parameters()).device
    given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "labels": batch.labels}
    return {name: on_device(tensor, device) for name, tensor in given.items()}


def normal(parameter: nn.Parameter) -> Tensor:
    """Return what is drawn for a parameter, where it is."""
    return torch.normal(0.0, 1.0, parameter.shape, dtype=parameter.dtype, device=parameter.device)


class Textbook:
    """The published step (Malladi et al., NeurIPS 2023, algorithm 1), on the model's own parameters, in place."""

    def __init__(self, model: nn.Module, mu: float, rate: float) -> None:
        self.model, self.mu, self.rate = model, mu, rate
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def move(self, seed: int, scale: float) -> None:
        """Add ``scale`` times the direction of a seed, drawn anew."""
        torch.manual_seed(seed)
        for parameter in self.parameters:
            parameter.data.add_(normal(parameter), alpha=scale)

    def loss(self, batch: Batch) -> float:
        """Return the loss, as transformers computes it."""
        return float(self.model(**inputs(self.model, batch)).loss)

    def estimate(self, batch: Batch, number: int) -> float:
        """Return the projected gradient; the parameters are back, up to rounding."""
        self.move(number, self.mu)
        above = self.loss(batch)
        self.move(number, -2 * self.mu)
        below = self.loss(batch)
        self.move(number, self.mu)
        return (above - below) / (2 * self.mu)

    def __call__(self, batch: Batch, number: int) -> None:
        """Take a step."""
        self.move(number, -self.rate * self.estimate(batch, number))
