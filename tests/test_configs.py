"""Every shipped configuration runs; word problems do so on their own model."""

import json
import shlex
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.core.cache import cache_folder
from fedmezo.main import main
from fedmezo.models.hubs import load_base_model
from fedmezo.zeroth_order.scoring import token_losses
from tests.conftest import REPOSITORY
from tests.paper import REST, ROWS, SOME_PAPERS, write_data

FOLDER = REPOSITORY / "configs"
CONFIGS = sorted(
    FOLDER.glob("*.yaml")
)  # those of _base_ are parts, those of paper are grids (tests/commands/experiments/suites)
SMALL = ["federate.total_round_num", "1", "train.local_update_steps", "1", "data.num_examples", "60"]
FEW = ["eval.max_examples", "4"]
TINY = ["model.type", "tiny-llama@random_llm", *SMALL]
STEMS = [path.stem for path in CONFIGS]
PAPERS = pytest.mark.parametrize("name", ROWS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder with all datasets, in small."""
    folder = tmp_path_factory.mktemp("data") / "FOLDER"
    write_data(folder)
    return str(folder)


def commands(path: Path) -> list[list[str]]:
    """Return the words of each command of the runner in a configuration's header."""
    lines = (line.removeprefix("#").strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [shlex.split(line)[3:] for line in lines if line.startswith("python -m fedmezo.main")]


def test_the_paper_has_its_fourteen_and_the_rest_is_ours() -> None:
    assert {path.stem for path in CONFIGS} == {
        *ROWS,
        "quickstart",
        "word_problems",
        "word_problems_in_blocks",
        "federation",
    }


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=pytest.mark.full if path.stem in REST else ()) for path in CONFIGS], ids=STEMS
)
def test_it_runs_a_round_on_the_tiny_model(path: Path, data: str, tmp_path: Path) -> None:
    blocks = ["zo.blocks", "2"] if config.load(path).zo.blocks > 1 else []  # the tiny model has two layers
    overrides = [*TINY, *FEW, *blocks, "data.root", data, "outdir", str(tmp_path), "expname", "run"]
    assert main(["--cfg", str(path), *overrides]) == 0
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert set(summary["losses"]) == set(config.load(path).eval.split)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_header_gives_its_command(path: Path) -> None:
    assert commands(path)[0] == ["--cfg", str(path.relative_to(REPOSITORY))]


@SOME_PAPERS
def test_its_headers_override_runs_without_the_large_model(
    name: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for the model's size and the steps."""
    monkeypatch.chdir(REPOSITORY)
    _, small = commands(FOLDER / f"{name}.yaml")
    cfg = config.load(Path(small[1]), small[2:])
    assert cfg.model.type == "SmolLM2-135M-Instruct@package_llm"
    assert not cfg.train.is_enable_half and cfg.federate.total_round_num == 2 and cfg.data.root == "FOLDER"
    words = [data if word == "FOLDER" else word for word in small]
    assert main([*words, *TINY[:2], *FEW, "train.local_update_steps", "1", "outdir", str(tmp_path)]) == 0


@PAPERS
def test_it_says_what_the_papers_table_says(name: str) -> None:
    cfg, row = config.load(FOLDER / f"{name}.yaml"), ROWS[name]
    assert (cfg.data.type, cfg.data.splits, cfg.data.splitter) == (row.data, row.splits, row.splitter)
    assert (cfg.trainer.type, cfg.train.train_strategy) == (row.trainer, row.strategy)
    assert (cfg.train.optimizer.lr, cfg.llm.tok_len) == (row.rate, row.tok_len)
    assert cfg.data.splitter_args == (({"alpha": 0.5},) if row.splitter == "lda" else ())
    small = name == "mezo_testcase"
    assert cfg.llm.adapter.args[0]["r"] == cfg.llm.adapter.args[0]["lora_alpha"] / 2 == (8 if small else 128)
    assert cfg.llm.adapter.args[0]["lora_dropout"] == 0.05
    rounds = (cfg.federate.total_round_num, cfg.train.local_update_steps, cfg.federate.save_freq)
    assert rounds == ((100, 5, 50) if small else (500, 30, 100))
    assert (cfg.federate.client_num, cfg.federate.sample_client_num, cfg.dataloader.batch_size) == (3, 0, 1)
    assert (cfg.train.optimizer.type, cfg.train.optimizer.weight_decay, cfg.train.is_enable_half) == ("SGD", 0, True)
    assert cfg.eval.best_res_update_round_wise_key == ("val_loss" if row.splits[1] else "test_loss")
    assert cfg.model.type == "openlm-research/open_llama_3b_v2@huggingface_llm"


@pytest.mark.integration
@pytest.mark.smollm2
def test_word_problems_train_smollm2_and_peft_finds_the_reported_loss(tmp_path: Path) -> None:
    path = REPOSITORY / "configs" / "word_problems.yaml"
    few = ["federate.client_num", "1", "eval.max_examples", "2", "eval.choice", "first"]
    small = [*SMALL, *few, "outdir", str(tmp_path), "expname", "run"]
    assert main(["--cfg", str(path), *small]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["losses"]["test"]
    assert 1.2 < summary["before"] < 2.4 and summary["after"] != summary["before"]
    assert _loss_of_saved(path, small, tmp_path / "run") == pytest.approx(summary["after"], abs=1e-5)


def _loss_of_saved(path: Path, overrides: list[str], run: Path) -> float:
    task: LearningTask = assemble_learning_task(config.load(path, overrides))
    base = load_base_model("SmolLM2-135M-Instruct@package_llm", dtype=torch.float32, cache=cache_folder())
    model = PeftModel.from_pretrained(base.model, str(run / "adapter")).eval()
    with torch.inference_mode():
        losses, _ = token_losses(model, task.collate(task.data.partition.union("test")[:2]))
    return losses.double().mean().item()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_of_keys_without_effect_only_dropout_is_told(path: Path) -> None:
    assert all(".lora_dropout = 0.05 " in line for line in config.unused(config.load(path)))


def test_a_run_and_its_check_tell_a_key_without_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = [*TINY, "outdir", str(tmp_path), "data.num_examples", "40", "llm.tok_len", "400", "engine.workers", "2"]
    command = ["--cfg", str(FOLDER / "word_problems.yaml"), *overrides]
    assert main([*command, "--check"]) == 0
    assert "engine.workers = 2 has no effect" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().err.count("engine.workers = 2 has no effect") == 1
