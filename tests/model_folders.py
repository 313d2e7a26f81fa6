"""Folders of models as transformers saves them."""

from pathlib import Path

import torch

from fedmezo.models.hubs import load_base_model

NO_CACHE = Path("unused")


def write_model(folder: Path, family: str = "tiny-llama") -> Path:
    """Save a tiny model of random weights with the tokenizer of bytes, and return its folder."""
    base = load_base_model(f"{family}@random_llm", dtype=torch.float32, cache=NO_CACHE)
    base.model.save_pretrained(folder)
    base.tokenizer.tokenizer.save_pretrained(folder)
    return folder
