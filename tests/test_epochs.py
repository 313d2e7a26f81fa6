"""An epoch meets each of a client's examples once, and the client's say is how many these are."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from fedmezo.replay import main as replay
from fedmezo.training import mean_loss

SIZES = {"tiny": 2, "small": 3, "big": 22}  # by category, each a client's; of the tiny one, one is trained on
EPOCHS = 2


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("epochs")
    rows = [
        {"instruction": f"{name} question {i}", "output": f"{name} answer {i}", "category": name}
        for name, count in SIZES.items()
        for i in range(count)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    path = folder / "run.yaml"
    path.write_text(
        f"""
outdir: {folder}
model: {{type: tiny-llama@random_llm}}
data: {{root: {folder}, type: rows.jsonl, splits: [0.8, 0.0, 0.2], splitter: meta}}
federate: {{client_num: 3, total_round_num: 2}}
train: {{local_update_steps: {EPOCHS}, batch_or_epoch: epoch, optimizer: {{lr: 1.0e-3}}}}
dataloader: {{batch_size: 16}}
eval: {{split: [test], best_res_update_round_wise_key: test_loss}}
engine: {{threads: 1}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def run(configuration: Path) -> Path:
    return trained(configuration, "epochs")


def trained(configuration: Path, name: str, *overrides: str) -> Path:
    assert main(["--cfg", str(configuration), "-q", "expname", name, *overrides]) == 0
    return configuration.parent / name


def rounds(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()][-2:]


def samples(run: Path) -> list[int]:
    (found,) = {tuple(client["samples"] for client in row["clients"]) for row in rounds(run)}
    return list(found)


def test_a_round_counts_the_examples_that_it_meets(run: Path) -> None:
    held = json.loads((run / "partition.json").read_text(encoding="utf-8"))["clients"]
    assert samples(run) == [EPOCHS * client["train"]["examples"] for client in held]
    assert min(samples(run)) == EPOCHS


def test_they_are_its_weights_in_the_average(run: Path) -> None:
    records = list(Ledger(run / "ledger.bin").rounds())
    assert [[client.weight for client in record.clients] for record in records] == [samples(run)] * 2
    for row in rounds(run):
        weighted = sum(client["samples"] * client["loss"] for client in row["clients"])
        assert row["train_loss"] == pytest.approx(weighted / sum(samples(run)))


def test_the_run_is_replayed(run: Path) -> None:
    assert replay([str(run), "--verify"]) == 0


def test_backpropagation_meets_the_same_examples(configuration: Path, run: Path) -> None:
    assert samples(trained(configuration, "backprop", "trainer.type", "llmtrainer")) == samples(run)


def test_filled_batches_count_as_they_did(configuration: Path, run: Path) -> None:
    filled = trained(configuration, "filled", "dataloader.last_batch", "filled")
    assert samples(filled) == [math.ceil(count / EPOCHS / 16) * EPOCHS * 16 for count in samples(run)]


def test_the_loss_of_a_short_batch_counts_by_its_size() -> None:
    assert mean_loss([1.0, 4.0], [16, 4]) == pytest.approx((16 * 1.0 + 4 * 4.0) / 20)
    assert math.isnan(mean_loss([], []))


def test_the_loss_of_equal_batches_is_their_plain_mean_to_the_bit() -> None:
    losses = [math.sin(number) for number in range(1, 30)]
    assert all(mean_loss(losses, [size] * 29) == math.fsum(losses) / 29 for size in (1, 3, 7, 48))
