"""What a suite at a small scale has changed of the published settings: told on its page, from the configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedmezo import config
from fedmezo.commands.experiments.suites.results import Finished
from fedmezo.commands.experiments.suites.suite import Suite
from fedmezo.commands.experiments.suites.tables import Table
from fedmezo.config.help import shown
from fedmezo.config.overrides import as_words
from fedmezo.config.tree import leaves

SETTINGS = (
    *("model.type", "llm.adapter.use", "llm.adapter.args", "llm.tok_len", "train.is_enable_half"),
    *("data.type", "data.splitter", "data.splitter_args", "data.client_examples", "dataloader.batch_size"),
    *("federate.client_num", "federate.sample_client_num", "federate.total_round_num", "train.local_update_steps"),
    *("train.optimizer.lr", "zo.mu", "zo.queries", "zo.estimator", "zo.directions", "eval.max_examples"),
)


@dataclass(frozen=True)
class Changes:
    """The settings of an arm that differ between scales, and the arm's name."""

    arm: str
    table: Table


def changes(suite: Suite, runs: Sequence[Finished]) -> Changes | None:
    """Return what the first run has instead of the settings of the arm of scale paper most like it; None if nothing."""
    if not (runs and suite.original):
        return None
    run = runs[0]
    arm = max(suite.original, key=lambda each: len(each.labels.items() & run.job.arm.labels.items()))
    theirs, ours = _settings(config.load(arm.cfg, as_words(dict(arm.overrides)))), _settings(run.config)
    rows = [[f"`{key}`", shown(theirs[key]), shown(ours[key])] for key in SETTINGS if ours[key] != theirs[key]]
    return Changes(", ".join(arm.labels.values()), (["key", "published", "here"], rows)) if rows else None


def _settings(cfg: Mapping[str, Any]) -> dict[str, Any]:
    found = leaves(cfg)
    return found if found["llm.adapter.use"] else found | {"llm.adapter.args": "none"}
