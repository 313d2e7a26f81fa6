from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_federation, assemble_learning_task
from fedmezo.commands import cost_estimate
from fedmezo.commands.cost_estimate import Linear, estimate
from fedmezo.core.text import duration
from fedmezo.data.batches import Batch
from fedmezo.main import main

Write = Callable[..., Path]
PER_TOKEN = 0.001


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let work take a millisecond a token, without doing it; return the tokens of what was tried."""
    tried: list[int] = []

    def fit(work: Callable[[int], None], tokens: np.ndarray, prepare: Callable[[int], None]) -> Linear:
        work(int(tokens.argmax()))
        tried.append(int(tokens.max()))
        return Linear(0.0, PER_TOKEN)

    monkeypatch.setattr(cost_estimate, "_fit", fit)
    return tried


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_the_estimate_adds_up_the_runs_own_batches(
    tiny_yaml: Write, tiny_task: LearningTask, clock: list[int], trainer: str
) -> None:
    cfg = config.load(tiny_yaml(trainer={"type": trainer}, federate={"total_round_num": 3}, eval={"freq": 2}))
    federation = assemble_federation(cfg, tiny_task)
    lengths = np.diff(tiny_task.data.encoded.offsets)
    sizes = [
        federation.local_data.batch(client, 2 * round_index + step).input_ids.numel()
        for round_index in range(3)
        for client in range(3)
        for step in range(2)
    ]
    cost = estimate(cfg, tiny_task, federation)
    splits = [tiny_task.data.partition.union("val"), tiny_task.data.partition.union("test")]
    evaluation = PER_TOKEN * sum(len(split) * int(lengths[split].max()) for split in splits)
    assert clock[0] == max(sizes)
    assert cost.evaluation_seconds == pytest.approx(evaluation)
    assert cost.round_seconds == pytest.approx(PER_TOKEN * sum(sizes) / 3, rel=0.5)  # and the server's share
    assert cost.round_seconds > PER_TOKEN * sum(sizes) / 3
    # after rounds 2 and 3
    assert cost.seconds == pytest.approx(3 * cost.round_seconds + 2 * cost.evaluation_seconds)
    assert cost.memory_mib > (0 if tiny_task.start.is_cuda else 100)


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_nothing_is_trained(tiny_yaml: Write, tiny_task: LearningTask, trainer: str) -> None:
    cfg = config.load(tiny_yaml(trainer={"type": trainer}))
    federation = assemble_federation(cfg, tiny_task)
    start, buffer = tiny_task.start.clone(), tiny_task.parameters.buffer.clone()
    estimate(cfg, tiny_task, federation)
    assert torch.equal(tiny_task.start, start) and torch.equal(tiny_task.parameters.buffer, buffer)
    assert federation.server.rounds_done == 0 and not federation.server.observations
    assert federation.server.parameters is tiny_task.start


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        ({10: 1.0, 30: 2.0}, Linear(0.5, 0.05)),
        ({10: 1.0, 30: 4.0}, Linear(0.0, 0.1)),  # no batch costs less than nothing
        ({10: 1.0, 30: 0.9}, Linear(0.0, 0.1)),  # the longer one was quicker: noise
        ({10: 1.0}, Linear(0.0, 0.1)),
    ],
)
def test_the_line_goes_through_a_typical_and_the_longest_batch(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], line: Linear
) -> None:
    tokens = np.array(sorted([*seconds, 10, 10]))
    monkeypatch.setattr(cost_estimate, "_seconds", lambda work, number, repeats: seconds[int(tokens[number])])
    prepared: list[int] = []
    found = cost_estimate._fit(lambda number: None, tokens, prepared.append)
    assert {int(tokens[number]) for number in prepared} == {10, int(tokens.max())}
    assert (found.constant, found.per_token) == pytest.approx((line.constant, line.per_token))
    assert found(20) == pytest.approx(line.constant + 20 * line.per_token)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.5, "0.5 s"), (89, "89 s"), (90, "1.5 minutes"), (7200, "2.0 hours"), (2e5, "2.3 days")]
)
def test_a_time_is_written_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_answers_come_on_top(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"freq": 2, "generate": {"max_examples": 2, "max_new_tokens": 2}}
    assert main(["--cfg", str(tiny_yaml(eval=asked)), "--check"]) == 0
    assert "for its answers, before and after" in capsys.readouterr().out
    assert main(["--cfg", str(tiny_yaml()), "--check"]) == 0
    assert "answers" not in capsys.readouterr().out


def test_what_is_computed_once_comes_on_top(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    args = [{"adapter_method": "ln-tuning", "target_modules": ["norm"]}]
    path = tiny_yaml(llm={"tok_len": 420, "adapter": {"args": args}}, train={"cache_frozen_layers": True})
    task = assemble_learning_task(config.load(path))
    computed: list[int] = []
    prepare = task.scorer.prepare

    def noted(*batches: Batch) -> None:
        computed.extend(len(batch.indices) for batch in batches)
        prepare(*batches)

    monkeypatch.setattr(task.scorer, "prepare", noted)
    cost = estimate(config.load(path), task, assemble_federation(config.load(path), task))
    assert cost.kept_seconds > 0 and computed[0] == 1 and 1 < computed[1] <= 2 * cost_estimate.FEW
