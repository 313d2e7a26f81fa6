"""The data of a run, from its configuration."""

from pathlib import Path

from yacs.config import CfgNode

from fedmezo.assembly.arguments import first_mapping, prompt_day
from fedmezo.core.errors import ResourceError
from fedmezo.data.federated import FederatedData
from fedmezo.data.federated import build as build_data
from fedmezo.data.partition import Split
from fedmezo.data.sources.source import Request
from fedmezo.models.tokenizers import ModelTokenizer


def assemble_data(cfg: CfgNode, tokenizer: ModelTokenizer, cache: Path) -> FederatedData:
    """Load the data, encode them, and divide them among the clients.

    Raises:
        ResourceError: the data cannot be had, or nothing is left of a split to evaluate.
    """
    data = build_data(
        _request(cfg, cache),
        prompt=cfg.data.prompt,
        day=prompt_day(cfg),
        tokenizer=tokenizer,
        tok_len=cfg.llm.tok_len,
        splitter=cfg.data.splitter,
        splitter_args=first_mapping(cfg.data.splitter_args),
        splits=cfg.data.splits,
        num_clients=cfg.federate.client_num,
        subsample=cfg.data.subsample,
        duplicates=cfg.data.duplicates,
        cache=cache / "encoded",
    )
    for split in cfg.eval.split:
        _check_left(data, split)
    return data


def _check_left(data: FederatedData, split: Split) -> None:
    copies = len(data.copies[split])
    if copies and len(data.partition.union(split)) == 0:
        raise ResourceError(
            f"eval.split = {split}\n    all {copies} {split} examples equal examples of other parts, and are left out\n"
            "    use other data, or evaluate on what is known: data.duplicates keep"
        )


def _request(cfg: CfgNode, cache: Path) -> Request:
    data = cfg.data
    return Request(
        data.type,
        Path(data.root),
        file=data.file,
        fields={name: field for name, field in dict(data.fields).items() if field},
        num_examples=data.num_examples,
        worked=data.worked,
        steps=data.steps,
        seed=cfg.seed,
        splitter=data.splitter,
        downloads=cache / "datasets",
    )
