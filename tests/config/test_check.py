"""Contradictions between values that are fine alone."""

import pytest

from .conftest import Load, Mistakes

CONTRADICTIONS = [
    ("federate.sample_client_num 4", "4 clients cannot be sampled of federate.client_num = 3"),
    ("federate.sample_client_num 1 federate.sample_client_rate 1", "set one of them"),
    ("data.splits [0.9,0.1,0.1]", "the sum at most 1"),
    ("data.splits [0,0.5,0.5]", "the fraction for train must be > 0"),
    ("data.splits [1,0,0]", "data.splits leaves nothing for val, test"),
    ("data.splits [0.9,0,0.1]", "val_loss, but data.splits leaves nothing for val"),
    ("eval.split test", "val_loss, but eval.split does not hold val"),
    ("eval.split [val,val]", "a split is named twice"),
    ("eval.best_res_update_round_wise_key test_loss eval.split val", "does not hold test"),
    ("train.optimizer.type Adam", "train.optimizer.type = SGD"),
    ("train.optimizer.momentum 0.9", "train.optimizer.momentum = 0.0"),
    ("train.optimizer.nesterov True", "trainer.type = mezotrainer takes no train.optimizer.nesterov"),
    ("train.gradient_checkpointing True", "train.gradient_checkpointing = False"),
    ("train.train_strategy random train.optimizer.lr 5e-6", "below train.optimizer.lr = 5e-06"),
    ("train.train_strategy model-diff train.lr_half_width 1", "below train.optimizer.lr = 1e-05"),
    (
        "llm.adapter.use False train.is_enable_half True trainer.type llmtrainer",
        "trainer.type = llmtrainer wants train.is_enable_half False or llm.adapter.use True",
    ),
    (
        "llm.adapter.use False train.is_enable_half True federate.transport weights",
        "trained by mezotrainer with scalars, and not compiled; federate.transport = weights wants",
    ),
    ("llm.adapter.use False train.is_enable_half True train.compile True", "train.compile = True wants"),
    ("data.splitter lda data.splitter_args [{alfa: 0.5}]", "lda takes one argument, a number > 0"),
    ("data.splitter lda data.splitter_args [{alpha: 0}]", "lda takes one argument, a number > 0"),
    ("data.splitter lda data.splitter_args [{alpha: True}]", "lda takes one argument, a number > 0"),
    ("train.optimizer.lr auto trainer.type llmtrainer", "auto wants trainer.type = mezotrainer, not llmtrainer"),
    ("train.optimizer.lr auto train.train_strategy random", "auto wants train.train_strategy = frozen, not random"),
    ("train.optimizer.lr auto zo.normalise std zo.queries 4", "auto wants zo.normalise = none or newton, not std"),
    ("zo.normalise std", "zo.queries at least 2"),
    ("train.scheduler.step_size 3", "train.scheduler.type is empty"),
]


@pytest.mark.parametrize(("overrides", "expected"), CONTRADICTIONS)
def test_a_contradiction_is_refused(mistakes: Mistakes, overrides: str, expected: str) -> None:
    message = mistakes("", *split(overrides))
    assert "  command line  " in message
    assert expected in message


FINE = [
    "federate.sample_client_num 3",
    "federate.client_num 10 federate.sample_client_num 3 federate.sample_client_rate 0.3",
    "data.splits [0.9,0,0.1] eval.split test eval.best_res_update_round_wise_key test_loss",
    "data.splits [0.9,0.1,0] eval.split [val,test]",
    "data.splits [0.998,0.001,0.001]",
    "data.splits [0.7,0.2,0.1]",
    "trainer.type llmtrainer train.optimizer.type Adam train.optimizer.betas [0.9,0.99]",
    "trainer.type llmtrainer train.optimizer.momentum 0.9 train.gradient_checkpointing True",
    "train.optimizer.weight_decay 0.1",
    "train.optimizer.lr auto train.scheduler.type CosineAnnealingLR train.scheduler.T_max 5",
    "zo.normalise std zo.queries 2",
    "train.train_strategy random",
    "train.train_strategy frozen train.lr_half_width 1",
    "llm.adapter.use False",
    "llm.adapter.use False train.is_enable_half True",
    "data.splitter lda",
    "data.splitter lda data.splitter_args [{alpha: 5e-1}]",
    "train.scheduler.type StepLR train.scheduler.step_size 3",
]


@pytest.mark.parametrize("overrides", FINE)
def test_what_goes_together_is_loaded(load_text: Load, overrides: str) -> None:
    assert load_text("", *split(overrides)).is_frozen()


def split(overrides: str) -> list[str]:
    """Return the words; a space after a colon does not part two."""
    return [word.replace(":", ": ") for word in overrides.replace(": ", ":").split()]


def test_a_contradiction_is_told_where_it_was_set(mistakes: Mistakes) -> None:
    assert "  my.yaml:2  eval.split = test\n" in mistakes("eval:\n  split: test\n")


def test_contradictions_stand_beside_other_mistakes(mistakes: Mistakes) -> None:
    message = mistakes("seed: x\ntrain: {optimizer: {type: Adam, momentum: 1, eps: .nan}}")
    assert message.startswith("4 mistakes")
    assert "train.optimizer.type = SGD" in message
    assert "train.optimizer.momentum = 0.0" in message


@pytest.mark.parametrize(
    "text", ["federate: {client_num: x, sample_client_num: 9}", "eval: 3\ndata: {splits: [1,0,0]}"]
)
def test_values_in_doubt_do_not_contradict(mistakes: Mistakes, text: str) -> None:
    assert mistakes(text).startswith("1 mistake ")


def test_nothing_contradicts_a_file_that_is_missing(mistakes: Mistakes) -> None:
    text = "_base_: missing.yaml\nfederate: {sample_client_num: 9}"
    assert mistakes(text).startswith("1 mistake ")
