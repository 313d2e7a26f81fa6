"""What a run saves and what is exported of it give the loss that it reported: loaded by PEFT and transformers alone.

Every family with every way of training, through the programs: one round of a step of two clients.
"""

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from fedmezo import config
from fedmezo.assembly.task import assemble_data
from fedmezo.data.federated import FederatedData
from fedmezo.main import main
from fedmezo.models.adapters import save_trained
from fedmezo.models.adapters.methods import registry
from fedmezo.models.hubs import load_base_model
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.replay import main as replay
from tests.models.tiny import FAMILIES, NO_CACHE

ALL = {"all": True}
GPT2 = {"q_proj": "c_attn", "embed_tokens": "wte"}  # its names of modules
METHODS: dict[str, dict[str, Any]] = {  # on every family
    "lora": {"target_modules": "all-linear"},
    "ends": {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    "dora": {"use_dora": True},
    "rslora": {"use_rslora": True, "rank_pattern": {"q_proj": 2}, "bias": "all"},
    "saved": {"modules_to_save": ["lm_head"]},
    "ia3": {"adapter_method": "ia3"},
    "vera": {"adapter_method": "vera", "r": 4},
    "prefix": {"adapter_method": "prefix", "num_virtual_tokens": 3, "prefix_projection": True},
    "prompt": {"adapter_method": "prompt", "num_virtual_tokens": 3},
    "p-tuning": {"adapter_method": "p-tuning", "num_virtual_tokens": 3, "encoder_hidden_size": 8},
    "all parameters": ALL,
}
TIED: dict[str, dict[str, Any]] = {  # where embeddings and head are one
    "embeddings": {"target_modules": ["q_proj", "embed_tokens"]},
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "tokens": {"trainable_token_indices": [65, 101]},
    "embeddings saved": {"modules_to_save": ["embed_tokens"]},
    "both saved": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
}
CELLS = [(family, method, METHODS[method]) for family in FAMILIES for method in METHODS]
CELLS += [(family, method, TIED[method]) for family in ("tiny-gemma", "tiny-gpt2") for method in TIED]
CELLS += [("tiny-opt", method, TIED[method]) for method in ("embeddings", "head")]
CELLS += [("tiny-gemma", "regex", {"target_modules": r".*(embed_tokens|q_proj)"})]
CELLS += [(family, "layers", {"layer_replication": [[0, 2], [1, 2]]}) for family in ("tiny-llama", "tiny-phi")]
Bases = Callable[[str], Path]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """Return a maker of the folders of tiny models, as a user has those of large ones."""
    root = tmp_path_factory.mktemp("bases")

    def folder(family: str) -> Path:
        path = root / family
        if not path.exists():
            base = load_base_model(f"{family}@random_llm", dtype=torch.float32, cache=NO_CACHE)
            base.model.save_pretrained(path)
            ByteTokenizer().tokenizer.save_pretrained(path)
        return path

    return folder


def configuration(folder: Path, base: Path, arguments: dict[str, Any], **train: Any) -> Path:
    text = json.dumps(arguments)
    for name, other in GPT2.items() if base.name == "tiny-gpt2" else ():
        text = text.replace(name, other)
    content: dict[str, Any] = {
        "outdir": str(folder),
        "expname": "run",
        "model": {"type": f"{base}@huggingface_llm"},
        "data": {
            "type": "arithmetic@llm",
            "steps": 1,
            "prompt": "plain",
            "num_examples": 16,
            "splits": [0.5, 0.0, 0.5],
        },
        "llm": {"tok_len": 420, "adapter": {"use": arguments is not ALL}},
        "federate": {"client_num": 2, "total_round_num": 1},
        "train": {"local_update_steps": 1, "optimizer": {"lr": 0.003}, **train},
        "eval": {"split": ["test"], "best_res_update_round_wise_key": "test_loss"},
        "engine": {"threads": 1},
        "use_gpu": False,
    }
    if arguments is not ALL:
        content["llm"]["adapter"]["args"] = [json.loads(text)]
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def own_loss(model: Any, data: FederatedData) -> float:
    """Return the loss of a model on the test examples, with nothing of the project's scoring."""
    losses = []
    for index in data.partition.union("test"):
        tokens = torch.from_numpy(data.encoded.tokens(index).astype(np.int64))
        with torch.inference_mode():
            logits = model.eval()(input_ids=tokens[None]).logits[0, -len(tokens) : -1].float()
        losses.append(cross_entropy(logits, tokens[1:], reduction="none")[data.encoded.prompt_lengths[index] - 1 :])
    assert len(losses) >= 4
    return torch.cat(losses).double().mean().item()


def reported(run: Path) -> float:
    return float(json.loads((run / "summary.json").read_text(encoding="utf-8"))["losses"]["test"]["after"])


def data_of(run: Path) -> FederatedData:
    return assemble_data(config.load(run / "config.yaml"), ByteTokenizer(), run / "cache")


def adapted(base: Path, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder))


def exported(run: Path, kind: str, code: int = 0) -> Path:
    target = run.parent / kind
    assert replay([str(run), "--export", kind, "--to", str(target)]) == code
    return target


def whole(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder)


def saving_others(change: Callable[[torch.Tensor], torch.Tensor], only: str = "") -> Callable[[Any, Path, Any], None]:
    """Return a way to save that changes every tensor: in folders of one name, or in all."""

    def save(model: Any, folder: Path, tokenizer: Any) -> None:
        save_trained(model, folder, tokenizer)
        if folder.name == (only or folder.name):
            (path,) = folder.glob("*model.safetensors")
            save_file({name: change(each) for name, each in load_file(path).items()}, path, metadata={"format": "pt"})

    return save


@pytest.mark.covering(1)
@pytest.mark.parametrize(("family", "method", "arguments"), CELLS, ids=lambda cell: cell if type(cell) is str else "")
def test_what_is_saved_and_exported_is_what_was_reported(
    family: str, method: str, arguments: dict[str, Any], bases: Bases, tmp_path: Path, capsys: Captured
) -> None:
    base, run = bases(family), tmp_path / "run"
    assert main(["--cfg", str(configuration(tmp_path, base, arguments))]) == 0
    assert "adapter checked in " in capsys.readouterr().out
    data, loss = data_of(run), reported(run)
    saved = whole(run / "adapter") if arguments is ALL else adapted(base, run / "adapter")
    assert own_loss(saved, data) == pytest.approx(loss, abs=1e-4)
    if arguments is ALL or registry[arguments.get("adapter_method", "lora")].merges:
        assert own_loss(whole(exported(run, "merged")), data) == pytest.approx(loss, abs=1e-4)
        assert "merged checked in " in capsys.readouterr().out


@pytest.mark.covering(1)
@pytest.mark.parametrize("family", ["tiny-llama", "tiny-gemma"])
@pytest.mark.parametrize("method", ["lora", "ends", "all parameters"])
def test_half_precision_agrees_within_its_rounding_which_is_told(
    family: str, method: str, bases: Bases, tmp_path: Path, capsys: Captured
) -> None:
    base, run = bases(family), tmp_path / "run"
    assert main(["--cfg", str(configuration(tmp_path, base, METHODS[method], is_enable_half=True))]) == 0
    exported(run, "merged")
    said = re.findall(r"\((\S+) apart; half precision moves a token's by (\S+)\)", capsys.readouterr().out)
    assert len(said) == 2 and all(float(apart) <= float(rounding) < 0.01 for apart, rounding in said)
    for folder in (run / "adapter" if method == "all parameters" else run.parent / "merged", run.parent / "merged"):
        assert own_loss(whole(folder), data_of(run)) == pytest.approx(reported(run), abs=float(said[1][1]))


@pytest.mark.parametrize("method", ["lora", "all parameters"])
def test_a_file_that_is_another_than_was_trained_has_an_exit_code_of_its_own(
    method: str, bases: Bases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    corrupted = saving_others(lambda tensor: 1.5 * tensor)
    run = tmp_path / "run"
    monkeypatch.setattr("fedmezo.commands.train.save_trained", corrupted)
    assert main(["--cfg", str(configuration(tmp_path, bases("tiny-llama"), METHODS[method]))]) == 6
    said = capsys.readouterr()
    assert f"{run / 'adapter'}\n    what was saved is not what was trained: loss " in said.err
    assert "Traceback" not in said.err and reported(run) and (run / "adapter").is_dir()
    assert json.loads((run / "summary.json").read_text())["outcome"] == "saved wrongly" and "try it" not in said.out
    assert exported(run, "adapter").is_dir()  # the ledger has it all the same
    monkeypatch.setattr("fedmezo.commands.replay.save_trained", corrupted)
    exported(run, "merged", code=6)


@pytest.mark.parametrize("method", ["lora", "all parameters"])
def test_a_best_model_that_is_another_is_told(
    method: str, bases: Bases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    corrupted = saving_others(lambda tensor: tensor + 1e-3, "adapter_best")
    monkeypatch.setattr("fedmezo.commands.train.save_trained", corrupted)
    assert main(["--cfg", str(configuration(tmp_path, bases("tiny-llama"), METHODS[method]))]) == 6
    assert f"{tmp_path / 'run' / 'adapter_best'}\n    it is not what the ledger leads to" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"", b"no tensors"])
def test_a_file_that_cannot_be_read_back_is_told(
    damage: bytes, bases: Bases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def cut_off(model: Any, folder: Path, tokenizer: Any) -> None:
        save_trained(model, folder, tokenizer)
        (folder / "adapter_model.safetensors").write_bytes(damage)

    monkeypatch.setattr("fedmezo.commands.train.save_trained", cut_off)
    assert main(["--cfg", str(configuration(tmp_path, bases("tiny-llama"), METHODS["lora"]))]) == 6
    assert "it cannot be read back: " in capsys.readouterr().err


def test_where_the_runs_data_are_gone_the_export_is_checked_on_others(
    bases: Bases, tmp_path: Path, capsys: Captured
) -> None:
    rows = [{"instruction": f"Say {number}", "output": f"It is {number}"} for number in range(16)]
    file = tmp_path / "own.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    path = configuration(tmp_path, bases("tiny-llama"), METHODS["lora"])
    assert main(["--cfg", str(path), "data.type", str(file)]) == 0
    file.unlink()
    exported(tmp_path / "run", "merged")
    said = capsys.readouterr()
    assert "checked on word problems" in said.err and "on 4 examples" in said.out


@pytest.mark.parametrize(
    ("family", "arguments", "reason"),
    [
        ("tiny-gemma", {"target_modules": ["embed_tokens"], "ensure_weight_tying": True}, "leave ensure_weight_tying"),
        ("tiny-gpt2", {"target_modules": ["lm_head"], "ensure_weight_tying": True}, "leave ensure_weight_tying"),
        ("tiny-qwen", {"layer_replication": [[0, 2], [1, 2]]}, "layer_types"),
    ],
)
def test_arguments_that_peft_would_not_load_the_same_of_are_refused(
    family: str, arguments: dict[str, Any], reason: str, bases: Bases, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["--cfg", str(configuration(tmp_path, bases(family), arguments))]) == 2
    assert "llm.adapter.args" in (said := capsys.readouterr().err) and reason in said
    assert not (tmp_path / "run").exists()
