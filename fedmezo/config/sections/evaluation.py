"""Evaluation: the section ``eval``."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean, Choice, Integer, ListOf, Registered

METRICS = "evaluation/metrics"

SECTION = Section(
    "eval",
    "Evaluation.",
    (
        Key("eval.freq", 1, Integer(low=1), "Rounds from one evaluation to the next."),
        Key(
            "eval.metrics",
            ("loss",),
            ListOf(Registered(METRICS), least=1),
            "Evaluated and shown besides the loss: accuracy of response tokens, exact_match of whole responses, "
            "perplexity, or others that extensions add.",
        ),
        Key("eval.split", ("val", "test"), ListOf(Choice(("val", "test")), least=1), "Splits to evaluate on."),
        Key(
            "eval.best_res_update_round_wise_key",
            "val_loss",
            Registered(METRICS, prefixes=("val_", "test_")),
            "Result that decides which round is the best: the lowest loss or perplexity, the highest of the others.",
        ),
        Key(
            "eval.count_flops",
            False,
            Boolean(),
            "Count the operations of the clients' matrix products, backward passes included: by round, and in all as "
            "forward passes of a training example.",
        ),
        Key("eval.batch_size", 8, Integer(low=1), "Examples in an evaluation batch."),
        Key("eval.max_examples", 0, Integer(low=0), "Examples of each split to evaluate at most; 0: all."),
        Key(
            "eval.choice",
            "spread",
            Choice(("spread", "first")),
            "Which they are: drawn from seed, of every client and category; or the first in the order of the data.",
            since="0.2.0",
            before="first",
        ),
        Key(
            "eval.generate.max_examples",
            0,
            Integer(low=0),
            "Examples of each split that the model writes answers to, before and after training, at most; 0: none.",
            since="0.3.0",
            before=0,
        ),
        Key(
            "eval.generate.metrics",
            (),
            ListOf(Registered("text_metrics")),
            "Metrics of these answers: exact_match and f1 of SQuAD, those of DROP, rouge_l, or others that extensions "
            "add; []: the task's own, rouge_l where it has none.",
            since="0.3.0",
            before=(),
        ),
        Key(
            "eval.generate.max_new_tokens",
            64,
            Integer(low=1),
            "Tokens of such an answer at most.",
            since="0.3.0",
            before=64,
        ),
    ),
)
