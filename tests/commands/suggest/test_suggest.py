"""``--suggest``, on the tiny model."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor
from tqdm import tqdm

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.commands import suggest
from fedmezo.commands.suggest.method import faster
from fedmezo.commands.suggest.probe import Probe
from fedmezo.federation.messages import Plan
from fedmezo.main import main
from tests.conftest import WORD_PROBLEMS
from tests.test_main import train

Write = Callable[..., Path]
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe a little less than is worth it."""
    monkeypatch.setattr(suggest, "FIDELITY_BATCHES", 1)
    monkeypatch.setattr("fedmezo.commands.suggest.probe.EXAMPLES", 16)


def suggested(path: Path, capsys: Said, *overrides: str) -> tuple[str, list[str]]:
    """Return what was said, and the words to add."""
    capsys.readouterr()
    assert main(["--cfg", str(path), "--suggest", *overrides]) == 0
    said = capsys.readouterr().out
    (words,) = re.findall(r"^add to the command: (.+)$", said, flags=re.MULTILINE)
    return said, words.split()


@pytest.mark.parametrize(
    "rate", ["1e-3", "1e6", *(pytest.param(rate, marks=pytest.mark.full) for rate in ("2", "100"))]
)
def test_whatever_the_configured_rate_a_good_one_is_found(tiny_yaml: Write, capsys: Said, rate: str) -> None:
    """The best rate of a round is about 0.05 (train loss over rounds, by hand)."""
    path = tiny_yaml(data=WORD_PROBLEMS)
    said, words = suggested(path, capsys, "train.optimizer.lr", rate)
    assert words[::2] == ["train.optimizer.lr", "zo.mu"]
    assert 0.02 <= float(words[1]) <= 0.12 and float(words[3]) == 0.005
    assert "nothing was trained" in said and "may be better" not in said
    assert not (tiny_yaml().parent / "runs").exists()


def test_the_words_can_be_added_to_the_command_and_the_loss_falls(tiny_yaml: Write, capsys: Said) -> None:
    path = tiny_yaml(train={"train_strategy": "random", "lr_half_width": 1e-5, "optimizer": {"lr": 1e-4}})
    _, words = suggested(path, capsys)
    assert words[2] == "train.lr_half_width" and float(words[3]) == pytest.approx(float(words[1]) / 2, rel=0.05)
    longer = ("train.local_update_steps", "4", "federate.total_round_num", "2")
    change = train(path, "run", *words, *longer).summary()["losses"]["test"]
    slow = train(path, "slow", *longer).summary()["losses"]["test"]
    assert change["change"] < -3 * change["standard_error"]
    assert change["change"] < 5 * slow["change"] < 0


def test_the_words_of_another_method_can_be_added_and_the_loss_falls(tiny_yaml: Write, capsys: Said) -> None:
    path = tiny_yaml(data=WORD_PROBLEMS, train={"local_update_steps": 10, "optimizer": {"lr": 0.05}})
    said, _ = suggested(path, capsys)
    (method,) = re.findall(r"instead of a rate: (.+)$", said, flags=re.MULTILINE)
    words = shlex.split(method)
    assert words[1].count("freeze_a: true") == 1 and words[words.index("zo.blocks") + 1] == "2"
    losses = train(path, "faster", *words, "federate.total_round_num", "2").summary()["losses"]["test"]
    assert losses["after"] < 0.95 * losses["before"]


@pytest.mark.parametrize(
    "overrides",
    [
        ("trainer.type", "llmtrainer"),
        ("zo.blocks", "2"),
        ("llm.adapter.use", "False"),
        ("train.train_strategy", "random"),
        ("train.batch_or_epoch", "epoch"),
        ("llm.adapter.args", "[{adapter_method: lora, layers_to_transform: [1]}]"),
    ],
    ids=["backpropagation", "blocks already", "all parameters", "rates around one", "epochs", "one layer"],
)
def test_where_it_was_not_measured_or_cannot_be_no_other_method_is_suggested(
    overrides: tuple[str, str], tiny_yaml: Write
) -> None:
    cfg = config.load(tiny_yaml(data=WORD_PROBLEMS), overrides)
    assert not faster(cfg, assemble_learning_task(cfg))


def test_a_mu_that_is_too_large_is_replaced(tiny_yaml: Write, capsys: Said) -> None:
    said, words = suggested(tiny_yaml(), capsys, "zo.mu", "0.1")
    assert float(words[3]) <= 0.033 and "0.1 as configured is outside" in said


def test_backpropagation_has_a_rate_and_no_mu(tiny_yaml: Write, capsys: Said) -> None:
    said, words = suggested(tiny_yaml(), capsys, "trainer.type", "llmtrainer", "train.optimizer.lr", "0.01")
    assert words[0] == "train.optimizer.lr" and len(words) == 2
    assert float(words[1]) > 0.05 and "mu:" not in said


def test_a_criterion_without_a_gradient_keeps_its_mu(tiny_yaml: Write, capsys: Said) -> None:
    assert main(["--cfg", str(tiny_yaml()), "--suggest", "criterion.type", "accuracy"]) == 0
    said = capsys.readouterr().out
    assert "0.005 as configured; criterion.type has no gradient" in said and "zo.mu 0.005" in said


def test_all_parameters_are_probed_where_they_are(tiny_yaml: Write, capsys: Said) -> None:
    every = ("llm.adapter.use", "False", "zo.mu", "1e-3", "train.optimizer.lr", "1e-3", "train.is_enable_half", "True")
    _, words = suggested(tiny_yaml(), capsys, *every)
    assert 1e-5 < float(words[1]) < 0.1


@pytest.mark.parametrize("transport", ["scalars", "weights"])
def test_a_move_is_where_a_round_of_one_step_leads_to(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    """Bit for bit, at a rate that was not known when the gradients were learnt."""
    monkeypatch.setattr("fedmezo.commands.suggest.probe.DIRECTIONS", 3)
    monkeypatch.setattr("fedmezo.commands.suggest.probe.DESCENTS", 1)
    cfg = config.load(tiny_yaml(federate={"transport": transport}))
    learning_task = assemble_learning_task(cfg)
    probe = Probe(cfg, learning_task, tqdm(disable=True))
    losses: list[np.ndarray] = []

    def noted(self: Probe, point: Tensor) -> np.ndarray:
        losses.append(point.cpu().numpy().copy())
        return np.zeros(2)

    monkeypatch.setattr(Probe, "_losses", noted)
    probe(0.7)
    federation = assemble_federation(cfg, learning_task)
    tasks = tuple(replace(task, learning_rate=0.7, steps=1) for task in federation.server.plan(0).tasks)
    replies = (federation.executor(task, learning_task.start) for task in tasks)
    federation.server.apply(federation.server.aggregate(Plan(0, tasks), replies))
    start, moved = losses
    assert start.tobytes() == learning_task.start.cpu().numpy().tobytes()
    assert moved.tobytes() == federation.server.parameters.cpu().numpy().tobytes() != start.tobytes()


def test_rates_are_tried_on_examples_that_the_move_does_not_learn_from(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml())
    learning_task = assemble_learning_task(cfg)
    probe = Probe(cfg, learning_task, tqdm(disable=True))
    tried = np.concatenate([batch.indices for batch in probe.batches])
    assert "of train, unused by them" in probe.describe()
    used = [probe.federation.local_data.indices(task.client, i) for task in probe.plan.tasks for i in range(task.steps)]
    assert len(tried) and not np.isin(tried, np.concatenate(used)).any()
    assert np.isin(tried, learning_task.data.partition.union("train")).all()


def test_a_validation_set_is_used_where_there_is_one(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml(data={"splits": [0.6, 0.3, 0.1]}))
    learning_task = assemble_learning_task(cfg)
    probe = Probe(cfg, learning_task, tqdm(disable=True))
    tried = np.concatenate([batch.indices for batch in probe.batches])
    assert np.isin(tried, learning_task.data.partition.union("val")).all() and "examples of val" in probe.describe()


def test_too_little_data_is_told(tiny_yaml: Write, capsys: Said) -> None:
    few = ("data.num_examples", "20", "dataloader.batch_size", "5")
    assert main(["--cfg", str(tiny_yaml()), "--suggest", *few]) == 2
    error = capsys.readouterr().err
    assert "--suggest\n" in error and "expected at least 10: two batches" in error and "Traceback" not in error


def test_a_run_that_goes_on_has_nothing_to_choose(tmp_path: Path, capsys: Said) -> None:
    assert main(["--resume", str(tmp_path), "--suggest"]) == 2
    assert "expected with --cfg" in capsys.readouterr().err


def test_a_mistake_in_the_configuration_is_told_first(tiny_yaml: Write, capsys: Said) -> None:
    assert main(["--cfg", str(tiny_yaml()), "--suggest", "zo.mu", "-1"]) == 2
    assert "zo.mu" in capsys.readouterr().err


def test_check_and_suggest_are_two_things(tiny_yaml: Write) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--cfg", str(tiny_yaml()), "--check", "--suggest"])


def test_where_nothing_falls_nothing_is_recommended(
    tiny_yaml: Write, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "__call__", lambda self, rate: rate * np.linspace(0.5, 1.5, 8))
    said, words = suggested(tiny_yaml(), capsys)
    assert words == ["zo.mu", "0.005"]
    assert re.search(r"no rate from \S+e-\d+ to 0.01 lowers .* begin with a smaller train.optimizer.lr$", said, re.M)


def test_what_was_not_tried_is_told(tiny_yaml: Write, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.linspace(-1.0, 1.0, 8)
    for change, words in (
        (lambda self, rate: -rate * (1.0 + 0.1 * noise), "no larger rate was tried that is worse"),
        (lambda self, rate: noise, "more clients, queries or larger batches"),
        (lambda self, rate: 0.0 * noise, "the loss does not move at all: begin with a larger"),
        (
            lambda self, rate: -1.0 + (1.0 if rate > 0.02 else 0.0) + 0.01 * noise,
            "the smallest rates, so that less may be better",
        ),
    ):
        monkeypatch.setattr(Probe, "__call__", change)
        assert words in suggested(tiny_yaml(), capsys)[0]


def test_a_loss_that_is_level_far_away_is_no_obstacle(tiny_yaml: Write, capsys: Said) -> None:
    """With these seeds the loss far away is level: not told from zero, or falling, beyond a rate at which it is not."""
    for seed, best in (("2", 0.03), ("3", 0.08)):
        _, words = suggested(tiny_yaml(), capsys, "seed", seed, "train.optimizer.lr", "1000")
        assert best / 3.0 < float(words[1]) < best * 3.0


def test_what_fails_in_a_step_is_a_clients_failure(
    tiny_yaml: Write, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, *given: object) -> None:
        raise ZeroDivisionError("of the user's own")

    monkeypatch.setattr(Probe, "__init__", broken)
    assert main(["--cfg", str(tiny_yaml()), "--suggest"]) == 5
    assert "ZeroDivisionError: of the user's own" in capsys.readouterr().err
