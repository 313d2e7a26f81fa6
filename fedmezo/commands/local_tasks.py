"""Tasks of ours, written into the run's folder as task files that any lm_eval can ask."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from yacs.config import CfgNode

from fedmezo.assembly.classification import asked_task
from fedmezo.assembly.task import assemble_data, evaluated
from fedmezo.commands.load_run import Rebuilt
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.files import saving
from fedmezo.core.run_folder import RunFolder
from fedmezo.data.federated import FederatedData
from fedmezo.data.label_tokens import spaced
from fedmezo.data.sources.gsm8k import Gsm8k
from fedmezo.data.sources.source import Request
from fedmezo.evaluation.tasks.gsm8k import gsm8k_task
from fedmezo.evaluation.tasks.held_out import held_out_task
from fedmezo.evaluation.tasks.tasks import GSM8K, HELD_OUT
from fedmezo.models.tokenizers import ModelTokenizer


def default_task(cfg: CfgNode) -> str:
    """Return the task that the model of a run is asked if nobody says which."""
    task = asked_task(cfg)
    return HELD_OUT if task and task.classes else GSM8K


def check_local(cfg: CfgNode, tasks: Sequence[str], data: Path) -> None:
    """Make sure that those of some tasks that are ours can be asked.

    Raises:
        ConfigurationError: the run is no classification, but is to be asked its held-out examples.
        ResourceError: the data cannot be had.
    """
    if GSM8K in tasks:
        _gsm8k_file(data)
    if HELD_OUT in tasks and default_task(cfg) != HELD_OUT:
        raise ConfigurationError(f"--tasks {HELD_OUT}\n    it is for classification; {cfg.data.type} is none")


def write_local(name: str, cfg: CfgNode, folder: Path, data: Path, rebuilt: Rebuilt) -> str:
    """Write the task file of one of our tasks into a folder, and return its path."""
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    target = RunFolder(folder)
    if name == GSM8K:
        text = gsm8k_task(name, _gsm8k_file(data), rebuilt.prompt)
    else:
        rows = held_out_rows(cfg, rebuilt.trainable.tokenizer)
        target.write_text(f"{name}.rows.jsonl", "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
        text = held_out_task(name, folder / f"{name}.rows.jsonl")
    target.write_text(f"{name}.yaml", text)
    return str(folder / f"{name}.yaml")


def held_out_rows(cfg: CfgNode, tokenizer: ModelTokenizer) -> list[dict[str, object]]:
    """Return the evaluated examples of the last split: prompt, choices, and which is right."""
    data, task = assemble_data(cfg, tokenizer, cache_folder(cfg.llm.cache.model)), asked_task(cfg)
    assert task is not None
    words = spaced(task, tokenizer).label_words
    indices = np.sort(np.concatenate(evaluated(cfg, data, cfg.eval.split[-1])))
    return [
        {
            "prompt": _prompt(data, index, tokenizer),
            "choices": words,
            "label": data.words.index(str(data.labels[index])),
        }
        for index in map(int, indices)
    ]


def _prompt(data: FederatedData, index: int, tokenizer: ModelTokenizer) -> str:
    tokens = data.encoded.tokens(index)[: data.encoded.prompt_lengths[index]]
    return tokenizer.decode(tokens.tolist())


def _gsm8k_file(root: Path) -> Path:
    """Return the test file, its rows checked."""
    request = Request("gsm8k@llm", root, downloads=cache_folder() / "datasets")
    file = Gsm8k().test_file(request)
    Gsm8k().load(replace(request, file=str(file.resolve())))
    return file
