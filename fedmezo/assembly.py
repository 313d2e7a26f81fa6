"""Assembly: from a checked configuration to the parts of a run. The one place that reads the configuration tree."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging
from yacs.config import CfgNode

from fedmezo import engines, strategies, trainers
from fedmezo.cache import cache_folder
from fedmezo.config import to_dict
from fedmezo.data import batches
from fedmezo.data.federated import FederatedData
from fedmezo.data.federated import build as build_data
from fedmezo.errors import ConfigurationError
from fedmezo.evaluation.losses import Evaluator, example_losses
from fedmezo.federation.aggregation import Aggregation, ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.client import ClientWork, DirectionKeys, LocalData
from fedmezo.federation.execution import Engine
from fedmezo.federation.sampling import participants, sample_clients
from fedmezo.federation.server import Rates, Server
from fedmezo.models.adapters import attach_adapter, initial_parameters, load_point
from fedmezo.models.flat import FlatParameters
from fedmezo.models.hubs import load_base_model
from fedmezo.models.scoring import Scorer
from fedmezo.models.tokenizers import ModelTokenizer
from fedmezo.trainers.schedule import Schedule
from fedmezo.zeroth_order.replay import Replay

ZEROTH_ORDER = "mezotrainer"
OPTIMIZER_KEYS = ("type", "lr", "weight_decay")


@dataclass(frozen=True, eq=False)
class Problem:
    """What is trained, on what, where: everything but the federation.

    Args:
        model: with its adapter, in eval mode, on the device.
        tokenizer: of the model.
        parameters: the trainable ones.
        start: the initial point, fp32 [d].
        scorer: of the model.
        data: encoded and divided among clients.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: ModelTokenizer
    parameters: FlatParameters
    start: Tensor
    scorer: Scorer
    data: FederatedData

    def describe(self) -> str:
        """Return the model in a line of words: parameters, dtype, device, threads."""
        total = sum(parameter.numel() for parameter in self.model.parameters())
        frozen = next((p for p in self.model.parameters() if not p.requires_grad), self.parameters.buffer)
        device = self.parameters.buffer.device
        where = "the CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        return (
            f"model: {total:,} parameters, {str(frozen.dtype).removeprefix('torch.')}; "
            f"{self.parameters.size:,} of them trained, in {len(self.parameters.spans)} tensors; "
            f"on {where}, threads: {torch.get_num_threads()}"
        )

    def collate(self, indices: NDArray[Any]) -> batches.Batch:
        """Return the batch of some examples."""
        device = self.parameters.buffer.device
        return batches.collate(self.data.encoded, indices, self.tokenizer.pad_id, device)


def assemble_problem(cfg: CfgNode) -> Problem:
    """Load model and data.

    Raises:
        ResourceError: either cannot be had.
        ConfigurationError: they do not go together with the configuration.
    """
    _preflight(cfg)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if cfg.engine.threads:
        torch.set_num_threads(cfg.engine.threads)
    device = chosen_device(cfg.use_gpu, cfg.device)
    cache = cache_folder(cfg.llm.cache.model)
    base = load_base_model(cfg.model.type, dtype=base_dtype(cfg.train.is_enable_half, device), cache=cache)
    data = _data(cfg, base.tokenizer, cache)
    model = _trainable_model(cfg, base.model.to(device))
    parameters = FlatParameters(model)
    start = initial_parameters(parameters, cfg.seed)
    if cfg.federate.restore_from:
        start = load_point(parameters, Path(cfg.federate.restore_from), model)
    parameters.buffer.copy_(start)
    return Problem(model, base.tokenizer, parameters, start, Scorer(model, parameters), data)


def _preflight(cfg: CfgNode) -> None:
    """Find at once what would be noticed only after loading, or at the end."""
    if cfg.wandb.use and importlib.util.find_spec("wandb") is None:
        raise ConfigurationError("wandb.use = True\n    wandb is not installed: pip install -e .[wandb]")
    target = Path(cfg.federate.save_to).absolute()
    above = next(path for path in (target, *target.parents) if path.exists())
    if cfg.federate.save_to and not above.is_dir():
        raise ConfigurationError(f"federate.save_to = {cfg.federate.save_to}\n    expected a folder; {above} is a file")


def chosen_device(use_gpu: bool, index: int) -> torch.device:
    """Return the GPU if one is wanted (an index of -1 means none) and there, else the CPU."""
    if use_gpu and index >= 0 and torch.cuda.is_available():
        if index >= torch.cuda.device_count():
            raise ConfigurationError(f"device = {index}\n    expected 0 to {torch.cuda.device_count() - 1}")
        return torch.device("cuda", index)
    return torch.device("cpu")


def base_dtype(half: bool, device: torch.device) -> torch.dtype:
    """Return the dtype of the frozen weights: float32, or the half precision that the device does well."""
    if not half:
        return torch.float32
    bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported()
    return torch.bfloat16 if bf16 else torch.float16


def precision_warnings(cfg: CfgNode) -> list[str]:
    """Return what a user should know about the dtype: rounding noise can be larger than a projected gradient."""
    if not cfg.train.is_enable_half or cfg.trainer.type != ZEROTH_ORDER:
        return []
    return [
        "warning: half precision adds rounding noise to projected gradients, the more the smaller zo.mu is; "
        "--check --fidelity 100 measures it"
    ]


def _trainable_model(cfg: CfgNode, model: PreTrainedModel) -> PreTrainedModel | PeftModel:
    if cfg.train.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    if cfg.llm.adapter.use:
        return attach_adapter(model, _first_mapping(cfg.llm.adapter.args))
    return model.requires_grad_(True)


def _data(cfg: CfgNode, tokenizer: ModelTokenizer, cache: Path) -> FederatedData:
    return build_data(
        cfg.data.type,
        root=Path(cfg.data.root),
        file=cfg.data.file,
        fields={name: field for name, field in dict(cfg.data.fields).items() if field},
        num_examples=cfg.data.num_examples,
        prompt=cfg.data.prompt,
        tokenizer=tokenizer,
        tok_len=cfg.llm.tok_len,
        splitter=cfg.data.splitter,
        splitter_args=_first_mapping(cfg.data.splitter_args),
        splits=cfg.data.splits,
        num_clients=cfg.federate.client_num,
        subsample=cfg.data.subsample,
        seed=cfg.seed,
        cache=cache / "encoded",
    )


def _first_mapping(items: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    return to_dict(items[0]) if items else {}


@dataclass(frozen=True, eq=False)
class Federation:
    """The server and the engine that executes its clients' work."""

    server: Server
    engine: Engine
    local_data: LocalData


def assemble_federation(
    cfg: CfgNode, problem: Problem, on_step: Callable[[float], None] = lambda loss: None
) -> Federation:
    """Put server, clients and engine together.

    Raises:
        ConfigurationError: optimizer or scheduler do not take their arguments.
    """
    replay = Replay(problem.parameters.decay_runs(), cfg.train.optimizer.weight_decay, cfg.zo.distribution)
    seed = cfg.seed if cfg.zo.seed is None else cfg.zo.seed
    keys = DirectionKeys(seed, cfg.zo.queries, shared=cfg.zo.directions == "shared")
    local_data = _local_data(cfg, problem)
    work = ClientWork(_trainer(cfg, problem, replay), local_data, keys, on_step)
    server = Server(
        parameters=problem.start,
        sample=_sampler(cfg),
        rates=_rates(cfg),
        aggregation=_aggregation(cfg, problem, replay, keys),
        seed=cfg.seed,
    )
    return Federation(server, engines.registry[cfg.engine.type](work), local_data)


def _trainer(cfg: CfgNode, problem: Problem, replay: Replay) -> trainers.Trainer:
    clip = cfg.grad.grad_clip if cfg.grad.grad_clip > 0 else None
    shared = {"scorer": problem.scorer, "clip": clip, "retry": cfg.llm.retry_on_nan_loss}
    make = trainers.registry[cfg.trainer.type]
    if cfg.trainer.type == ZEROTH_ORDER:
        return make(replay=replay, mu=cfg.zo.mu, **shared)
    optimizer = dict(cfg.train.optimizer)
    arguments = {key: value for key, value in optimizer.items() if key not in OPTIMIZER_KEYS}
    if not arguments.get("momentum"):
        arguments.pop("momentum", None)  # not every optimizer knows the word
    return make(
        seed=cfg.seed,
        optimizer=optimizer["type"],
        arguments=arguments,
        weight_decay=optimizer["weight_decay"],
        **shared,
    )


def _local_data(cfg: CfgNode, problem: Problem) -> LocalData:
    return LocalData(
        examples=[client.train for client in problem.data.partition.clients],
        collate=problem.collate,
        seed=cfg.seed,
        batch_size=cfg.dataloader.batch_size,
        shuffle=cfg.dataloader.shuffle,
        local_steps=cfg.train.local_update_steps,
        by_epoch=cfg.train.batch_or_epoch == "epoch",
    )


def _sampler(cfg: CfgNode) -> Callable[[int], list[int]]:
    federate = cfg.federate
    count = participants(federate.client_num, federate.sample_client_num, federate.sample_client_rate)
    return partial(sample_clients, cfg.seed, client_num=federate.client_num, count=count)


def _rates(cfg: CfgNode) -> Rates:
    scheduler = dict(cfg.train.scheduler)
    schedule = Schedule(scheduler.pop("type"), scheduler, cfg.federate.total_round_num)
    strategy = strategies.registry[cfg.train.train_strategy]()
    return Rates(strategy, cfg.train.optimizer.lr, cfg.train.lr_half_width, schedule.factor)


def _aggregation(cfg: CfgNode, problem: Problem, replay: Replay, keys: DirectionKeys) -> Aggregation:
    sizes = [len(client.train) for client in problem.data.partition.clients]
    weighting = Weighting(sizes, cfg.federate.weight_by == "dataset", cfg.federate.ignore_weight)
    measured = strategies.registry[cfg.train.train_strategy].needs_update_distance
    spans = problem.parameters.spans if measured else ()
    if cfg.trainer.type == ZEROTH_ORDER:
        return ScalarAggregation(replay, keys, weighting, spans)
    return WeightAggregation(weighting, spans)


def assemble_evaluator(cfg: CfgNode, problem: Problem, on_batch: Callable[[int], None]) -> Evaluator:
    """Return the evaluator of the configured splits that have examples."""
    clients = problem.data.partition.clients
    splits = {split: [getattr(client, split) for client in clients] for split in cfg.eval.split}
    return Evaluator(
        score=lambda parameters, indices: example_losses(
            problem.scorer,
            parameters,
            problem.collate,
            indices,
            lambda index: len(problem.data.encoded.tokens(index)),
            cfg.eval.batch_size,
            on_batch,
        ),
        splits={split: parts for split, parts in splits.items() if any(map(len, parts))},
        pooled=cfg.federate.make_global_eval,
        max_examples=cfg.eval.max_examples,
    )
