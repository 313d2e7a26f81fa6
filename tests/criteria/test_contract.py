"""What every registered criterion has to keep."""

from pathlib import Path

import pytest
import torch

from fedmezo import criteria
from fedmezo.criteria.make import differentiable, make_criterion

LABELS = torch.tensor([2, 0, 1, 1, 3])
ROWS = torch.tensor([0, 0, 1, 1, 1])


def logits(sharpness: float) -> torch.Tensor:
    """Return logits that say the labels, the more surely the larger ``sharpness`` is (below 0: anything else)."""
    return sharpness * torch.nn.functional.one_hot(LABELS, 6).float()


@pytest.mark.parametrize("name", sorted(criteria.registry.names()))
def test_contract(name: str) -> None:
    """Values of one dimension, finite, pure; better answers are not worse; the arguments are left alone."""
    criterion, given = make_criterion(name), logits(3.0)
    before = given.clone()
    values = criterion(given, LABELS, ROWS)
    assert values.ndim == 1 and values.is_floating_point() and len(values) >= 1 and values.isfinite().all()
    assert torch.equal(values, criterion(given, LABELS, ROWS)) and torch.equal(given, before)
    assert criterion(logits(3.0), LABELS, ROWS).mean() < criterion(logits(-3.0), LABELS, ROWS).mean()


def test_all_but_accuracy_have_a_gradient() -> None:
    found = {name: differentiable(make_criterion(name)) for name in criteria.registry.names()}
    assert found == {"accuracy": False, "cross_entropy": True, "label_words": True}


def test_accuracy_counts_what_is_not_chosen() -> None:
    wrong = logits(1.0)
    wrong[[1, 4]] = -wrong[[1, 4]]
    assert make_criterion("accuracy")(wrong, LABELS, ROWS).tolist() == [0, 1, 0, 0, 1]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a path for a file of the user's own."""
    return tmp_path / "mine.py"


def test_a_function_of_the_users_own(own: Path) -> None:
    own.write_text("def longest(logits, labels, rows):\n    return rows.bincount().float()\n", encoding="utf-8")
    assert make_criterion(f"{own}:longest")(logits(1.0), LABELS, ROWS).tolist() == [2, 3]
