"""From ``criterion.type`` to the criterion: a registered name, or ``FILE.py:function``."""

from pathlib import Path

import torch
from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import culprit, defined_at, import_file
from fedmezo.criteria import Criterion, registry

VOCABULARY = 8  # of the trial


def make_criterion(name: str) -> Criterion:
    """Return a criterion, after trying a function of the user's own on made-up logits.

    Raises:
        ConfigurationError: there is no such function, or it does not keep the contract of :class:`Criterion`.
    """
    path, colon, function = name.rpartition(":")
    if not colon:
        return registry[name]
    criterion = FileCriterion(Path(path), function)
    criterion(*_trial())
    return criterion


def differentiable(criterion: Criterion) -> bool:
    """Return whether gradients flow from a criterion's values back to the logits."""
    logits, labels, rows = _trial()
    with torch.enable_grad():
        return criterion(logits.requires_grad_(True), labels, rows).requires_grad


def _trial() -> tuple[Tensor, Tensor, Tensor]:
    logits = torch.linspace(-1.0, 1.0, 5 * VOCABULARY).view(5, VOCABULARY).sin()
    return logits, torch.tensor([0, 7, 3, 3, 1]), torch.tensor([0, 0, 0, 1, 1])


class FileCriterion:
    """A function of a file of the user's own, as a criterion.

    Raises:
        ConfigurationError: the file, or the function in it, does not exist.
    """

    def __init__(self, path: Path, function: str) -> None:
        if not path.is_file():
            raise ConfigurationError(f"criterion.type = {path}:{function}\n    there is no file {path}")
        self._path = path
        self._function = getattr(import_file(path), function, None)
        self._name = function
        if not callable(self._function):
            raise ConfigurationError(f"criterion.type = {path}:{function}\n    {path} has no function {function}")

    def __call__(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """Return the function's values.

        Raises:
            ConfigurationError: it fails, or returns something else than a tensor of floating-point values.
        """
        assert self._function is not None
        try:
            values = self._function(logits, labels, rows)
        except Exception as error:
            where = f"{culprit(error) or defined_at(self._function)}, in {self._name}(logits, labels, rows)"
            raise ConfigurationError(f"{where}\n    {type(error).__name__}: {error}") from error
        if not (isinstance(values, Tensor) and values.is_floating_point() and values.ndim == 1 and len(values)):
            found = (
                f"{values.dtype} of shape {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            )
            raise ConfigurationError(
                f"{defined_at(self._function)}\n    {self._name} returned {found}\n"
                "    expected a floating-point tensor of one dimension: one value a token, or an example"
            )
        return values
