"""A run to evaluate: a tiny model with a tokenizer of transformers, trained on a generated file in GSM8K's format."""

import json
from pathlib import Path
from typing import Any

import yaml

from fedmezo.core.run_folder import RunFolder
from fedmezo.main import main as train
from tests.conftest import TINY
from tests.models.test_tokenizers import bpe
from tests.models.tiny import tiny_base

ROWS = [
    {"question": f"How many legs have {cats} cats{'?' * (cats % 4)}", "answer": f"{cats} * 4\n#### {4 * cats}"}
    for cats in range(1, 9)
]


def write_data(folder: Path) -> None:
    """Write training and test file."""
    folder.mkdir()
    for name, animals in (("train", "dogs"), ("test", "cats")):
        lines = (json.dumps(row | {"question": row["question"].replace("cats", animals)}) + "\n" for row in ROWS)
        (folder / f"gsm8k_{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def write_model(folder: Path) -> None:
    """Write the model, as transformers loads it."""
    base = tiny_base()
    base.resize_token_embeddings(300, mean_resizing=False)
    base.save_pretrained(folder)
    bpe(size=259).save_pretrained(folder)


def trained(folder: Path, *overrides: str, **sections: Any) -> RunFolder:
    """Return a run of four rounds whose answers differ from the base model's; model and data lie beside it."""
    write_model(folder / "model")
    write_data(folder / "data")
    content = TINY | {
        "outdir": str(folder / "runs"),
        "model": {"type": f"{folder / 'model'}@huggingface_llm"},
        "data": {"type": "gsm8k@llm", "root": str(folder / "data")},
        **sections,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    fast = ("expname", "run", "--quiet", "train.optimizer.lr", "0.5", "eval.freq", "1")
    assert train(["--cfg", str(folder / "run.yaml"), *fast, *overrides]) == 0
    return RunFolder(folder / "runs" / "run")
