"""The choice among label words: what a model says of them at the first response token, for training and evaluation."""

from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmezo.core.directions.scaled import Directions
from fedmezo.criteria.make import make_criterion
from fedmezo.data.batches import Batch, collate
from fedmezo.data.encoding import EncodedExamples
from fedmezo.evaluation.metrics.make import make_metrics
from fedmezo.evaluation.scoring import batch_sums
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring import CopyInScorer, LoraBatchedScorer, Scorer, make_scorer
from tests.models.tiny import Tuned, tiny_lora

WORDS = ([7, 4], [9], [3, 9])  # of three classes; the second is the last token of the third, too
TOKENS = [word[0] for word in WORDS]
CLASSES = [2, 0, 1, 0]
PROMPTS = ([5, 6, 7], [8, 2, 2, 4], [1], [4, 4, 9])
METRICS = make_metrics(["loss", "accuracy", "exact_match", "f1"])


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def batch() -> Batch:
    """Return a batch of four examples of three classes, with label words of one token and of two."""
    rows = [[*prompt, *WORDS[one]] for prompt, one in zip(PROMPTS, CLASSES, strict=True)]
    lengths = np.array([len(row) for row in rows])
    encoded = EncodedExamples(
        np.array(list(chain.from_iterable(rows)), dtype=np.int32),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array([len(prompt) for prompt in PROMPTS], dtype=np.int32),
        lengths.astype(np.int32),
    )
    return collate(encoded, np.arange(len(rows)), ByteTokenizer.pad_id)


@torch.inference_mode()
def said_of_classes(lora: Tuned, point: Tensor) -> Tensor:
    """Return what the model itself says of the classes [B, C], one example after the other."""
    with lora.scorer.at(point) as model:
        said = [model(input_ids=torch.tensor([prompt])).logits[0, -1, TOKENS] for prompt in PROMPTS]
    return torch.stack(said).double()


def scorer(lora: Tuned, kind: type[Scorer], criterion: str = "label_words", **others: Any) -> Scorer:
    return kind(lora.model, lora.parameters, criterion=make_criterion(criterion), label_tokens=TOKENS, **others)


@pytest.mark.parametrize("kind", [CopyInScorer, LoraBatchedScorer])
@pytest.mark.parametrize("micro_batch_size", [0, 3])
def test_the_loss_is_over_the_label_words_alone(lora: Tuned, kind: type[Scorer], micro_batch_size: int) -> None:
    logs = said_of_classes(lora, lora.point).log_softmax(dim=1)
    expected = -logs[range(4), CLASSES].mean().item()
    own = scorer(lora, kind, micro_batch_size=micro_batch_size)
    losses = own.losses(lora.point, [Lane(3, 0.0), Lane(3, 1e-3), Lane(3, -1e-3)], batch())
    assert losses[0] == pytest.approx(expected, rel=1e-5) and len(set(losses)) == 3
    assert own.loss(lora.point, batch()) == pytest.approx(expected, rel=1e-5)


def test_accuracy_as_the_objective_is_that_of_the_choice(lora: Tuned) -> None:
    right = said_of_classes(lora, lora.point).argmax(dim=1) == torch.tensor(CLASSES)
    loss = scorer(lora, LoraBatchedScorer, "accuracy").losses(lora.point, [Lane(3, 0.0)], batch())
    assert loss == [1 - right.double().mean().item()]


def test_cross_entropy_goes_on_seeing_the_whole_vocabulary(lora: Tuned) -> None:
    plain = CopyInScorer(lora.model, lora.parameters).loss(lora.point, batch())
    assert scorer(lora, CopyInScorer, "cross_entropy").loss(lora.point, batch()) == plain


@pytest.mark.parametrize("criterion", ["label_words", "cross_entropy"])
def test_metrics_are_of_the_choice_whatever_the_criterion(lora: Tuned, criterion: str) -> None:
    said = said_of_classes(lora, lora.point)
    right = (said.argmax(dim=1) == torch.tensor(CLASSES)).double()
    found = batch_sums(scorer(lora, CopyInScorer, criterion), lora.point, batch(), METRICS)
    assert found["accuracy"].values.tolist() == right.tolist()
    losses = -said.log_softmax(dim=1)[range(4), CLASSES]
    assert found["loss"].values.tolist() == pytest.approx(losses.tolist(), rel=1e-5)
    assert {tuple(own.counts.tolist()) for own in found.values()} == {(1, 1, 1, 1)}
    assert found["f1"].values.tolist() == [1024 * one + int(said[row].argmax()) for row, one in enumerate(CLASSES)]


def test_the_kind_of_scorer_is_chosen_as_ever(lora: Tuned) -> None:
    made = make_scorer(lora.model, lora.parameters, Directions(), make_criterion("label_words"), label_tokens=TOKENS)
    assert isinstance(made, LoraBatchedScorer) and made.label_tokens == tuple(TOKENS)


def test_gradients_flow_through_the_choice(lora: Tuned) -> None:
    own = scorer(lora, CopyInScorer)
    with own.at(lora.point) as model:
        own.values(batch()).mean().backward()  # type: ignore[no-untyped-call]
    assert any(each.grad is not None and bool(each.grad.any()) for each in model.parameters())
    model.zero_grad()
