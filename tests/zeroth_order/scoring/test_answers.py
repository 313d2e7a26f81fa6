"""Losses of what a model writes: at each lane the answers, and 1 minus their metric."""

from collections.abc import Sequence

import pytest
import torch

from fedmezo.core.directions.scaled import Directions
from fedmezo.models.answers import Answering, endings
from fedmezo.models.generation import Sampling, generate
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.text_metrics import Reference, TextMetric, as_text, registry
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring import AnswerCriterion, AnswerScorer, make_scorer
from tests.models.tiny import Tuned, bits, make_batch, tiny_lora

ROWS = ((3, 5), (9, 4), (6, 2), (3, 7))
LANES = [Lane(3, 0.0), Lane(3, 0.3), Lane(3, -0.3)]


def letters(prediction: str, references: Sequence[Reference]) -> float:
    """Return the share of letters that are in the right answer: a metric that random text moves."""
    (right,) = map(as_text, references)
    return sum(letter in right for letter in prediction) / max(1, len(prediction))


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def scorer(lora: Tuned, metric: TextMetric, micro_batch_size: int = 0) -> AnswerScorer:
    tokenizer = ByteTokenizer()
    answering = Answering(tokenizer, endings(tokenizer), 6)
    made = make_scorer(
        lora.model,
        lora.parameters,
        Directions(),
        AnswerCriterion(metric, answering),
        micro_batch_size=micro_batch_size,
    )
    assert isinstance(made, AnswerScorer)
    return made


def by_hand(lora: Tuned, metric: TextMetric, lane: Lane) -> float:
    """Return the loss of a lane by definition: one prompt after the other, at a point made by hand."""
    tokenizer, batch, point = ByteTokenizer(), make_batch(*ROWS), lora.point.clone()
    Directions().add(point, [lane.key], [lane.scale])
    losses = []
    with lora.scorer.at(point):
        for ids, (prompt, response) in zip(batch.input_ids.tolist(), ROWS, strict=True):
            answer = generate(lora.model, ids[:prompt], [[tokenizer.eos_id]], Sampling(6))
            right = tokenizer.decode(ids[prompt : prompt + response]).strip()
            losses.append(1 - metric(tokenizer.decode(answer).strip(), [right]))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("micro_batch_size", [0, 3])
def test_a_lane_has_the_loss_of_its_own_answers(lora: Tuned, micro_batch_size: int) -> None:
    before = bits(lora.model)
    losses = scorer(lora, letters, micro_batch_size).losses(lora.point, LANES, make_batch(*ROWS))
    assert losses == pytest.approx([by_hand(lora, letters, lane) for lane in LANES], abs=1e-12)
    assert len(set(losses)) == 3 and bits(lora.model) == before


def test_a_right_answer_has_no_loss(lora: Tuned) -> None:
    """The response is the one reference."""
    own, tokenizer = scorer(lora, registry["exact_match"]), ByteTokenizer()
    batch = make_batch((5, 6))
    with lora.scorer.at(lora.point):
        answer = generate(lora.model, batch.input_ids[0, :5].tolist(), [[tokenizer.eos_id]], Sampling(6))
    assert own.loss(lora.point, batch) == 1.0
    batch.input_ids[0, 5:] = torch.tensor(answer)
    batch.labels[0, 5:] = torch.tensor(answer)
    assert own.loss(lora.point, batch) == 0.0


def test_answers_have_no_gradient_and_evaluation_goes_on_as_ever(lora: Tuned) -> None:
    own, batch = scorer(lora, letters), make_batch(*ROWS)
    assert not own.differentiable and lora.scorer.differentiable
    assert "writes its answers" in own.manner
    with own.at(lora.point):
        found = torch.cat([part.logits for part in own.answers(batch)])
    with lora.scorer.at(lora.point):
        assert torch.equal(found, torch.cat([part.logits for part in lora.scorer.answers(batch)]))


@pytest.mark.parametrize(
    ("one_line", "ending", "wanted"), [(True, "", "one"), (False, "", "one\n two"), (False, "\n ", "one")]
)
def test_what_of_the_tokens_is_the_answer(one_line: bool, ending: str, wanted: str) -> None:
    tokenizer = ByteTokenizer()
    answering = Answering(tokenizer, endings(tokenizer, ending), 6, one_line)
    assert answering.text([*b" one\n two ", tokenizer.eos_id, *b"more"]) == wanted
