"""What looks at the answers that a model writes, from the configuration: a criterion, and evaluations."""

from yacs.config import CfgNode

from fedmezo import text_metrics
from fedmezo.assembly.arguments import prompt_day
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.tasks.task import Task
from fedmezo.models.answers import Answering, endings
from fedmezo.models.tokenizers import ModelTokenizer
from fedmezo.zeroth_order.scoring import AnswerCriterion


def assemble_answering(cfg: CfgNode, task: Task | None, tokenizer: ModelTokenizer, max_new_tokens: int) -> Answering:
    """Return how the model is asked."""
    ending = "\n" if task else make_prompt(cfg.data.prompt, tokenizer, prompt_day(cfg)).ending
    return Answering(tokenizer, endings(tokenizer, ending), max_new_tokens, one_line=task is not None)


def assemble_answer_criterion(
    cfg: CfgNode, metric: str, task: Task | None, tokenizer: ModelTokenizer
) -> AnswerCriterion:
    """Return the criterion of what the model writes that a metric of texts gives."""
    answering = assemble_answering(cfg, task, tokenizer, cfg.criterion.max_new_tokens)
    return AnswerCriterion(text_metrics.registry[metric], answering)
