"""``python -m fedmezo.replay``: any round from base model and ledger, verified and exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from fedmezo.models.hubs import BaseModel, load_base_model
from fedmezo.replay import main
from tests.test_main import Run, resume, train

Write = Callable[..., Path]


def replayed(run: Run, *arguments: str, code: int = 0) -> None:
    assert main([str(run.folder), *arguments]) == code


def adapter(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def test_every_round_is_what_a_run_of_so_many_rounds_ends_with(tiny_yaml: Write, tmp_path: Path) -> None:
    whole = train(tiny_yaml(), "whole", "federate.save_freq", "3")
    for done in range(1, 5):
        short = train(tiny_yaml(), f"short{done}", "federate.total_round_num", str(done))
        replayed(whole, "--round", str(done), "--export", "adapter", "--to", str(tmp_path / str(done)))
        assert adapter(tmp_path / str(done)) == short.adapter_bytes()


def test_verify_replays_from_the_base_model_and_compares(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "run", "federate.hash_freq", "1", "federate.save_freq", "1")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    capsys.readouterr()
    replayed(run, "--verify")
    said = capsys.readouterr().out
    assert "4 rounds" in said and "chain valid" in said and "from the base model on" in said
    assert "4 of 4 recorded hashes" in said and "holds the same bytes" in said
    assert before == {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}


BLOCKS = ("zo.blocks", "2", "zo.queries", "3", "zo.estimator", "one-sided", "federate.hash_freq", "1")


TRAINED = {
    "lora": ("zo.block_order", "random"),
    "lora, A frozen": ("llm.adapter.args", "[{adapter_method: lora, r: 4, freeze_a: true}]"),
    "norms": ("llm.adapter.args", "[{adapter_method: ln-tuning}]"),
    "all": ("llm.adapter.use", "False"),
}


@pytest.mark.parametrize("trained", TRAINED)
def test_directions_in_blocks_are_rebuilt_and_resumed(
    trained: str, tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = (*BLOCKS, *TRAINED[trained])
    whole = train(tiny_yaml(), "whole", *chosen)
    capsys.readouterr()
    replayed(whole, "--verify")
    assert "4 of 4 recorded hashes" in capsys.readouterr().out
    half = train(tiny_yaml(), "half", *chosen, "federate.total_round_num", "2")
    assert resume(half, "federate.total_round_num", "4").ledger_bytes() == whole.ledger_bytes()


def test_an_adapter_that_was_changed_is_noticed(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    path = run.folder / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    replayed(run, "--verify", code=3)
    assert "it is not what the ledger leads to" in capsys.readouterr().err


def test_a_damaged_ledger_is_told_and_what_is_valid_rebuilt(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = train(tiny_yaml(), "run", "eval.freq", "4")
    path = run.folder / "ledger.bin"
    third = sorted(run.ledger().chains())[2]
    data = path.read_bytes()
    end = next(link.end for link in run.ledger()._links if getattr(link.record, "round_index", -1) == third - 1)
    path.write_bytes(data[: end - 5] + b"\x00" + data[end - 4 :])
    capsys.readouterr()
    replayed(run, "--round", "2", "--export", "adapter", "--to", str(tmp_path / "two"))
    told = capsys.readouterr()
    assert "damaged from byte" in told.err and "2 rounds before it are valid" in told.err
    replayed(run, "--verify", code=3)
    assert "damaged from byte" in capsys.readouterr().err
    replayed(run, "--round", "3", code=2)
    assert "expected 0 to 2" in capsys.readouterr().err
    assert path.read_bytes() != data and len(path.read_bytes()) == len(data)  # reading mends nothing
    two = train(tiny_yaml(), "two", "federate.total_round_num", "2")
    assert adapter(tmp_path / "two") == two.adapter_bytes()


def test_a_merged_model_is_the_adapter_on_its_base(tiny_yaml: Write) -> None:
    run = train(tiny_yaml(), "run", "train.optimizer.lr", "1.0")
    replayed(run, "--export", "merged")
    merged = AutoModelForCausalLM.from_pretrained(run.folder / "merged_after_4")
    base = load_base_model("tiny-llama@random_llm", dtype=torch.float32, cache=Path())
    adapted = PeftModel.from_pretrained(base.model, str(run.folder / "adapter")).eval()
    tokens = torch.arange(5, 25)[None]
    with torch.inference_mode():
        wanted, found = adapted(tokens).logits, merged.eval()(tokens).logits
        bare = adapted.get_base_model().eval()
        with adapted.disable_adapter():
            assert (bare(tokens).logits - wanted).abs().max() > 1e-2
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_all_parameters_are_replayed_and_exported(tiny_yaml: Write, tmp_path: Path) -> None:
    run = train(tiny_yaml(), "run", "llm.adapter.use", "False", "train.optimizer.lr", "0.001")
    replayed(run, "--verify", "--export", "merged", "--to", str(tmp_path / "model"))
    saved, found = (load_file(folder / "model.safetensors") for folder in (run.folder / "adapter", tmp_path / "model"))
    assert saved.keys() == found.keys() and all(np.array_equal(saved[name], found[name]) for name in saved)


def test_a_backpropagation_run_is_verified_by_its_snapshots(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tiny_yaml(), "run", "trainer.type", "llmtrainer")
    capsys.readouterr()
    replayed(run, "--verify")
    said = capsys.readouterr().out
    assert "1 of 4 recorded hashes" in said and "holds the same bytes" in said and "snapshot after round 4" in said


def test_mistakes_are_told(tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "run", "llm.adapter.args", "[{adapter_method: prompt}]")
    for arguments, words in (
        (["--export", "merged"], "prompt has nothing to merge"),
        (["--to", str(tmp_path), "--export", "adapter"], "it exists, and is not overwritten"),
        (["--to", str(tmp_path / "new")], "nothing is to be written"),
        (["--round", "9"], "expected 0 to 4"),
    ):
        replayed(run, *arguments, code=2)
        assert words in (error := capsys.readouterr().err) and "Traceback" not in error
    assert main([str(tmp_path)]) == 3


def test_another_base_model_is_refused(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tiny_run)

    def other(*arguments: Any, **options: Any) -> BaseModel:
        base = load_base_model(*arguments, **options)
        with torch.no_grad():
            base.model.get_input_embeddings().weight[0, 0] += 1e-3
        return base

    monkeypatch.setattr("fedmezo.assembly.model.load_base_model", other)
    replayed(run, code=3)
    assert "began with another model" in capsys.readouterr().err
    resume(run, "federate.total_round_num", "6", code=3)
    assert "began with another model" in capsys.readouterr().err
