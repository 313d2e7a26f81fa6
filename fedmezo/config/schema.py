"""The schema: every section and key."""

from typing import Any

from fedmezo.config.sections import (
    criterion,
    data,
    dataloader,
    early_stop,
    engine,
    evaluation,
    federate,
    grad,
    llm,
    model,
    run,
    tensorboard,
    train,
    trainer,
    wandb,
    zo,
)

SECTIONS = (
    run.SECTION,
    early_stop.SECTION,
    federate.SECTION,
    data.SECTION,
    dataloader.SECTION,
    model.SECTION,
    llm.SECTION,
    train.SECTION,
    grad.SECTION,
    criterion.SECTION,
    trainer.SECTION,
    evaluation.SECTION,
    wandb.SECTION,
    tensorboard.SECTION,
    zo.SECTION,
    engine.SECTION,
)

KEYS = {key.name: key for section in SECTIONS for key in section.keys}
EXTENSIONS = "extensions"
BASE = "_base_"  # a file's relation to others, no value of the run
DEFAULTS = {name: key.default for name, key in KEYS.items() if name != BASE}
OPEN_GROUPS = frozenset(name for section in SECTIONS for name in section.open_names)

# Keys that may change when a run goes on: the rounds that are done would have been the same, and what is where may
# move; lanes round otherwise
RESUMABLE = (
    *("federate.total_round_num", "federate.save_to", "federate.save_freq", "early_stop.patience", "verbose"),
    *("eval.batch_size", "extensions", "callbacks", "model.type", "data.root", "data.date", "llm.cache.model"),
    *("use_gpu", "device", "eval.generate.max_examples", "eval.generate.metrics", "eval.generate.max_new_tokens"),
    *("federate.participation", "federate.on_failure", "federate.retries", "federate.min_results"),
    *(key for key in KEYS if key.startswith("engine.") and key != "engine.lanes"),
    "llm.accept_terms",
)


def earlier() -> dict[str, Any]:
    """Return what counts for the keys that a run's configuration lacks, as its version did not know them."""
    return {name: key.before for name, key in KEYS.items() if key.since}


def parent(name: str) -> str:
    """Return the group that holds a key or group; empty for a top-level one."""
    return name.rpartition(".")[0]


# Every name that only holds others: the sections and the groups within them.
GROUPS = frozenset(".".join(name.split(".")[:depth]) for name in KEYS for depth in range(1, name.count(".") + 1))
