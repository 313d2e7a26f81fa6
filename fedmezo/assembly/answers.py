"""What looks at the answers that a model writes, from the configuration: a criterion, and evaluations."""

from yacs.config import CfgNode

from fedmezo.assembly.arguments import prompt_day
from fedmezo.assembly.classification import criterion_type
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.installed import check_installed
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.tasks.task import Task
from fedmezo.models.answers import Answering, endings
from fedmezo.models.tokenizers import ModelTokenizer
from fedmezo.text_metrics.make import make_text_metric
from fedmezo.zeroth_order.scoring import AnswerCriterion

ROUGE_L = "rouge_l"  # of instructions, where nothing else is asked for


def assemble_answering(cfg: CfgNode, task: Task | None, tokenizer: ModelTokenizer, max_new_tokens: int) -> Answering:
    """Return how the model is asked."""
    ending = "\n" if task else make_prompt(cfg.data.prompt, tokenizer, prompt_day(cfg)).ending
    return Answering(tokenizer, endings(tokenizer, ending), max_new_tokens, one_line=task is not None)


def assemble_answer_criterion(
    cfg: CfgNode, metric: str, task: Task | None, tokenizer: ModelTokenizer
) -> AnswerCriterion:
    """Return the criterion of what the model writes that a metric of texts gives."""
    answering = assemble_answering(cfg, task, tokenizer, cfg.criterion.max_new_tokens)
    return AnswerCriterion(make_text_metric(metric), answering)


def answer_metrics(cfg: CfgNode, task: Task | None) -> tuple[str, ...]:
    """Return the metrics of texts that answers are evaluated by; none where no answers are asked for.

    Raises:
        ConfigurationError: the answers of the task are chosen among label words.
    """
    generate = cfg.eval.generate
    if task and task.classes and (generate.max_examples or generate.metrics):
        key = "max_examples" if generate.max_examples else "metrics"
        raise ConfigurationError(
            f"eval.generate.{key} = {generate[key]}\n    {cfg.data.type} is a classification: its answers are chosen, "
            "and eval.metrics has accuracy and f1 of the choice"
        )
    if not generate.max_examples:
        return ()
    return tuple(generate.metrics) or (task.metrics if task else ()) or (ROUGE_L,)


def check_text_metrics(cfg: CfgNode, task: Task | None) -> None:
    """Make sure that the metrics of texts of a run go with its task, and that what they are computed with is installed.

    Raises:
        ConfigurationError: they do not, or it is not.
    """
    wanted = dict.fromkeys(answer_metrics(cfg, task), "eval.generate.metrics")
    if ROUGE_L in wanted | {criterion_type(cfg, task): ""}:
        check_installed(f"{wanted.get(ROUGE_L, 'criterion.type')} = {ROUGE_L}", {"rouge_score": "metrics"})
