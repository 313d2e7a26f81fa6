"""What a run needs to know of its task before it has its data: whether there are classes, and their tokens."""

from pathlib import Path

from yacs.config import CfgNode

from fedmezo.assembly.arguments import prompt_day
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.data.label_tokens import label_tokens, spaced
from fedmezo.data.load import find_task
from fedmezo.data.prompts import Prompt
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.prompts.task import TypedPrompt
from fedmezo.data.sources.source import Request
from fedmezo.data.tasks.task import Task
from fedmezo.models.tokenizers import ModelTokenizer
from fedmezo.text_metrics import registry

AUTO = "auto"
LABEL_WORDS, CROSS_ENTROPY = "label_words", "cross_entropy"


def data_request(cfg: CfgNode, cache: Path) -> Request:
    """Return what the configuration says about the data."""
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
        task=data.task,
        template=data.template,
        label_words=tuple(data.label_words),
        polarity=data.polarity,
        downloads=cache / "datasets",
    )


def asked_task(cfg: CfgNode) -> Task | None:
    """Return what is asked of every row of the data; None where each says itself what is asked.

    Raises:
        ConfigurationError: the file of the task is wrong, or keys do not fit it.
    """
    return find_task(data_request(cfg, cache_folder(cfg.llm.cache.model)))


def criterion_type(cfg: CfgNode, task: Task | None) -> str:
    """Return the criterion that is meant.

    Raises:
        ConfigurationError: it is for classification, and there are no classes; or for all else, and there are.
    """
    classification = task is not None and bool(task.classes)
    if cfg.criterion.type == AUTO:
        return LABEL_WORDS if classification else CROSS_ENTROPY
    if cfg.criterion.type == LABEL_WORDS and not classification:
        raise ConfigurationError(
            f"criterion.type = {LABEL_WORDS}\n    {cfg.data.type} is no classification (data.task = {cfg.data.task}): "
            f"use {CROSS_ENTROPY}, or auto"
        )
    if classification and cfg.criterion.type in registry:
        raise ConfigurationError(
            f"criterion.type = {cfg.criterion.type}\n    it is of answers that are written, and {cfg.data.type} is a "
            "classification: use accuracy, label_words, or auto"
        )
    return str(cfg.criterion.type)


def assemble_label_tokens(task: Task | None, tokenizer: ModelTokenizer) -> tuple[int, ...]:
    """Return the first token of each label word; none where responses are texts.

    Raises:
        ConfigurationError: the tokenizer does not tell the words apart.
    """
    if task is None:
        return ()
    unknown = getattr(tokenizer.tokenizer, "unk_token_id", None)
    return label_tokens(spaced(task, tokenizer).label_words, tokenizer, unknown)


def assemble_prompt(cfg: CfgNode, task: Task | None, tokenizer: ModelTokenizer) -> Prompt:
    """Return how what somebody types is put to the model.

    Raises:
        ConfigurationError: there is no such prompt.
    """
    return TypedPrompt(spaced(task, tokenizer)) if task else make_prompt(cfg.data.prompt, tokenizer, prompt_day(cfg))
