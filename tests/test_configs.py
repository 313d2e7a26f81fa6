"""Every shipped configuration runs; the quickstart does so on its own model."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from fedmezo import config
from fedmezo.assembly import Problem, assemble_problem
from fedmezo.cache import cache_folder
from fedmezo.main import main
from fedmezo.models.hubs import load_base_model
from fedmezo.models.scoring import token_losses
from tests.conftest import REPOSITORY

CONFIGS = sorted((REPOSITORY / "configs").glob("**/*.yaml"))
SMALL = [
    "data.type", "arithmetic@llm", "data.num_examples", "60", "federate.total_round_num", "1",
    "train.local_update_steps", "1",
]  # fmt: skip


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_runs_a_round_on_the_tiny_model(path: Path, tmp_path: Path) -> None:
    overrides = [*SMALL, "model.type", "tiny-llama@random_llm", "outdir", str(tmp_path), "expname", "run"]
    assert main(["--cfg", str(path), *overrides]) == 0
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_header_gives_its_command(path: Path) -> None:
    assert f"python -m fedmezo.main --cfg {path.relative_to(REPOSITORY)}" in path.read_text(encoding="utf-8")


@pytest.mark.smollm2
def test_the_quickstart_trains_smollm2_and_peft_finds_the_reported_loss(tmp_path: Path) -> None:
    path = REPOSITORY / "configs" / "quickstart.yaml"
    small = [*SMALL, "eval.max_examples", "6", "outdir", str(tmp_path), "expname", "run"]
    assert main(["--cfg", str(path), *small]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["losses"]["test"]
    assert 1.2 < summary["before"] < 2.4 and summary["after"] != summary["before"]
    assert _loss_of_saved(path, small, tmp_path / "run") == pytest.approx(summary["after"], abs=1e-5)


def _loss_of_saved(path: Path, overrides: list[str], run: Path) -> float:
    problem: Problem = assemble_problem(config.load(path, overrides))
    base = load_base_model("SmolLM2-135M-Instruct@package_llm", dtype=torch.float32, cache=cache_folder())
    model = PeftModel.from_pretrained(base.model, str(run / "adapter")).eval()
    with torch.inference_mode():
        losses, _ = token_losses(model, problem.collate(problem.data.partition.union("test")[:6]))
    return losses.double().mean().item()
