"""The model of a run with what is trained of it, from its configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging
from yacs.config import CfgNode

from fedmezo import text_metrics
from fedmezo.assembly.answers import assemble_answer_criterion
from fedmezo.assembly.arguments import first_mapping, zeroth_order
from fedmezo.assembly.classification import asked_task, assemble_label_tokens, criterion_type
from fedmezo.assembly.precision import base_dtype, chosen_device, placed
from fedmezo.core.cache import cache_folder
from fedmezo.core.directions.distributions.validation import check_distribution
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.core.directions.task import COMPILED
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import import_extensions
from fedmezo.core.log import LOG
from fedmezo.criteria import Criterion
from fedmezo.criteria.make import make_criterion
from fedmezo.models.adapters import attach_adapter, initial_parameters, load_point, methods, prompt_embeddings
from fedmezo.models.blocks import Blocks, divide_into_blocks
from fedmezo.models.faults import of_model
from fedmezo.models.flat_parameters import FlatParameters, Span
from fedmezo.models.half_precision import with_half_products, with_plain_products
from fedmezo.models.hashing import model_hash
from fedmezo.models.hubs import BaseModel, load_base_model
from fedmezo.models.tokenizers import ModelTokenizer
from fedmezo.models.trial import check_working
from fedmezo.models.twin import twin
from fedmezo.zeroth_order.scoring import AnswerCriterion, AnswerScorer, Scorer, make_scorer


@dataclass(frozen=True, eq=False)
class TrainableModel:
    """A model, and what is trained of it.

    Args:
        model: with its adapter, in eval mode, on the device.
        tokenizer: of the model.
        parameters: the trainable ones.
        start: the initial point, fp32 (bf16 where a model trained as a whole is) [d].
        scorer: of the model.
        base: what the adapter was attached to, sharing its memory; None where all parameters are trained.
    """

    model: PreTrainedModel | PeftModel
    tokenizer: ModelTokenizer
    parameters: FlatParameters
    start: Tensor
    scorer: Scorer
    base: PreTrainedModel | None

    @cached_property
    def base_hash(self) -> bytes:
        """Hash of what is not trained of the model."""
        return model_hash(self.model)

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


def assemble_model(cfg: CfgNode, *, movable: bool = True) -> TrainableModel:
    """Load the model and attach what is trained of it.

    The order counts: extensions may hold the criterion; a model is shared before an adapter changes its modules; the
    trained parameters move into one buffer before they get their initial values; and what scores them sees them there.

    Args:
        cfg: of the run.
        movable: whether there may be one point only, the model's own, where all parameters are trained without
            backpropagation.

    Raises:
        ResourceError: it cannot be had.
        ConfigurationError: it does not go together with the configuration, or all of it is to be trained in half
            precision and cannot be where it is.
    """
    import_extensions(cfg.extensions)
    task = asked_task(cfg)
    kind = criterion_type(cfg, task)
    criterion = None if kind in text_metrics.registry else make_criterion(kind)
    _set_up_libraries(cfg)
    loaded = load_model(cfg)
    untouched = twin(loaded.model) if cfg.llm.adapter.use else None
    model = trainable_model(cfg, loaded.model)
    parameters = FlatParameters(model, loaded.model.get_input_embeddings().weight.device)
    move_to_start(cfg, model, loaded.tokenizer, parameters)
    labels = assemble_label_tokens(task, loaded.tokenizer)
    minimised = criterion or assemble_answer_criterion(cfg, kind, task, loaded.tokenizer)
    scorer = assemble_scorer(cfg, model, parameters, minimised, movable=movable, label_tokens=labels)
    start = parameters.buffer if scorer.in_place else parameters.buffer.clone()
    return TrainableModel(model, loaded.tokenizer, parameters, start, scorer, untouched)


def _set_up_libraries(cfg: CfgNode) -> None:
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if cfg.engine.threads:
        torch.set_num_threads(cfg.engine.threads)


def load_model(cfg: CfgNode) -> BaseModel:
    """Return the model with its tokenizer: on the device, or on several.

    Raises:
        ModelUnavailableError: it cannot be had, or does not work.
        ConfigurationError: its terms are not accepted, or it does not fit the devices.
    """
    device = chosen_device(cfg.use_gpu, cfg.device)
    dtype, cache = base_dtype(cfg.train.is_enable_half, device), cache_folder(cfg.llm.cache.model)
    place = placed(cfg.model.device_map, device)
    base = load_base_model(cfg.model.type, dtype=dtype, cache=cache, device_map=place, accepted=cfg.llm.accept_terms)
    if not cfg.model.device_map:
        base.model.to(device)
    elif any(parameter.device.type == "meta" for parameter in base.model.parameters()):
        raise ConfigurationError(
            f"model.device_map = {cfg.model.device_map}\n    the devices there are do not hold the model: "
            "set train.is_enable_half True, or take a smaller one"
        )
    with of_model(cfg.model.type):
        check_working(base.model, base.tokenizer)
    if dtype != torch.float32 and cfg.train.precision == "shared":
        with_half_products(base.model, whole=not cfg.llm.adapter.use)
    elif dtype != torch.float32 and cfg.llm.adapter.use:
        with_plain_products(base.model)
    return base


def trainable_model(cfg: CfgNode, model: PreTrainedModel) -> PreTrainedModel | PeftModel:
    """Return the model with what is trained of it: its adapter, or all of it."""
    if cfg.train.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    if cfg.llm.adapter.use:
        adapted = attach_adapter(model, first_mapping(cfg.llm.adapter.args), cfg.seed)
        for parameter in adapted.parameters():  # copies of a half-precision model's own modules (modules_to_save)
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data
        return adapted
    return model.requires_grad_(True)


def move_to_start(
    cfg: CfgNode, model: PreTrainedModel | PeftModel, tokenizer: ModelTokenizer, parameters: FlatParameters
) -> None:
    """Bring the model to the point that training starts from: a saved one, an adapter's initial one, or its own."""
    arguments = first_mapping(cfg.llm.adapter.args)
    method = methods.registry[arguments["adapter_method"]]
    if cfg.federate.restore_from:
        parameters.write(load_point(parameters, Path(cfg.federate.restore_from), model, method.alike))
    elif cfg.llm.adapter.use:
        prompt = prompt_embeddings(model, tokenizer, arguments, cfg.seed)
        parameters.write(initial_parameters(parameters, method, cfg.seed, prompt))


def assemble_scorer(
    cfg: CfgNode,
    model: PreTrainedModel | PeftModel,
    parameters: FlatParameters,
    criterion: Criterion | AnswerCriterion,
    *,
    movable: bool,
    label_tokens: Sequence[int] = (),
) -> Scorer:
    """Return the scorer of a model at its initial point.

    Raises:
        ConfigurationError: all parameters are to be trained in half precision, and cannot be where they are.
    """
    blocks = assemble_blocks(cfg, model, parameters)
    scorer = make_scorer(
        model,
        parameters,
        assemble_directions(cfg, parameters, blocks),
        criterion,
        compiled=cfg.train.compile and zeroth_order(cfg),
        micro_batch_size=cfg.dataloader.micro_batch_size,
        movable=movable and zeroth_order(cfg),
        folder=cache_folder(cfg.llm.cache.model),
        label_tokens=label_tokens,
        cache_frozen_layers=cfg.train.cache_frozen_layers,
        blocks=blocks,
    )
    if movable and parameters.buffer.dtype == torch.bfloat16 and isinstance(scorer, AnswerScorer):
        raise ConfigurationError(
            f"criterion.type = {cfg.criterion.type}\n    answers are written with a copy of all parameters, of which "
            "there is none in half precision: set llm.adapter.use True, or train.is_enable_half False"
        )
    if movable and parameters.buffer.dtype == torch.bfloat16 and not scorer.in_place:
        raise ConfigurationError(
            f"model.device_map = {cfg.model.device_map}\n    in half precision all parameters are trained on one "
            "device: leave it empty, or set train.is_enable_half False"
        )
    return scorer


def assemble_blocks(cfg: CfgNode, model: nn.Module, parameters: FlatParameters) -> Blocks | None:
    """Return the blocks that directions are inside of; None where they are of all parameters.

    Raises:
        ConfigurationError: there are fewer layers, or a block that is to be used is not there.
    """
    if cfg.zo.blocks == 1 or not zeroth_order(cfg):
        return None
    blocks = divide_into_blocks(model, parameters, cfg.zo.blocks)
    count = len(blocks.starts)
    wrong = [number for number in cfg.zo.use_blocks if number >= count]
    if wrong:
        raise ConfigurationError(f"zo.use_blocks\n    there is no block {wrong[0]}: they are 0 to {count - 1}")
    return blocks


def assemble_directions(cfg: CfgNode, parameters: FlatParameters, blocks: Blocks | None) -> Directions:
    """Return the directions of a run, with scale and block of each parameter.

    Raises:
        ConfigurationError: a scale is of no parameter, or the distribution does not keep its contract.
    """
    names = [entry["name"] for entry in cfg.zo.scales]
    used = set()

    def place(span: Span) -> tuple[float, int]:
        fit = next((i for i, name in enumerate(names) if name in span.name), None)
        used.add(fit)
        scale = 1.0 if fit is None else float(cfg.zo.scales[fit]["scale"])
        return scale, blocks.of[span.name] if blocks else 0

    parts = tuple(Part(start, stop, *own) for start, stop, own in parameters.runs(place))
    for i, name in enumerate(names):
        if i not in used:
            raise ConfigurationError(
                f"zo.scales[{i}].name = {name}\n    it is in the name of no trainable parameter that none of the list "
                f"before it is in; the first parameter is {parameters.spans[0].name}"
            )
    if cfg.zo.distribution not in COMPILED:
        check_distribution(cfg.zo.distribution)
        LOG.info(f"zo.distribution = {cfg.zo.distribution} has no compiled kernel: directions are exact, but slower")
    return Directions(cfg.zo.distribution, parts if names or blocks else (), len(blocks.starts) if blocks else 1)
