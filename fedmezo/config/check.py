"""Contradictions: values that are fine alone, but not together."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fedmezo.config.names import registered
from fedmezo.config.schema import KEYS
from fedmezo.config.settings import Settings
from fedmezo.core.documents.nodes import place, written
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.text import alternatives

AUTO = "auto"  # of the learning rate
_PLAIN_STEPS = {
    "train.optimizer.type": "SGD",
    "train.optimizer.momentum": 0.0,
    "train.gradient_checkpointing": False,
}


_NEED_MASTERS = {"trainer.type": "llmtrainer", "federate.transport": "weights", "train.compile": True}


@dataclass(frozen=True)
class Contradiction:
    """Keys that do not go together, the one to blame first, and why."""

    keys: tuple[str, ...]
    message: str


class _UnsoundError(LookupError):
    """A value that a rule asks for is wrong in itself."""


class Values(dict[str, Any]):
    """The values of all keys; asking for one that is wrong in itself ends the rule that does so."""

    def __init__(self, values: Mapping[str, Any], problems: Problems) -> None:
        super().__init__(values)
        self._problems = problems

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key."""
        if not self.sound(name):
            raise _UnsoundError(name)
        return super().__getitem__(name)

    def sound(self, name: str) -> bool:
        """Return whether the value of a key is not wrong in itself."""
        return not self._problems.concern(name)

    def arguments(self, group: str) -> list[str]:
        """Return the names of the keys that an open group holds beyond those of the schema."""
        names = [name for name in self if name.startswith(f"{group}.") and name not in KEYS]
        return [name for name in names if self.sound(name)]


Rule = Callable[[Values], Iterator[Contradiction]]


def _sampling(values: Values) -> Iterator[Contradiction]:
    clients, sampled = values["federate.client_num"], values["federate.sample_client_num"]
    if sampled > clients:
        yield Contradiction(
            ("federate.sample_client_num", "federate.client_num"),
            f"{sampled} clients cannot be sampled of federate.client_num = {clients}",
        )
    rate = values["federate.sample_client_rate"]
    if sampled and rate > 0 and abs(sampled - rate * clients) >= 1:
        yield Contradiction(
            ("federate.sample_client_rate", "federate.sample_client_num"),
            f"federate.sample_client_num = {sampled} is another number of clients than "
            f"federate.sample_client_rate = {rate}; set one of them",
        )


def _fractions(values: Values) -> Iterator[Contradiction]:
    splits = values["data.splits"]
    if splits[0] == 0 or math.fsum(splits) > 1 + 1e-9:
        yield Contradiction(("data.splits",), "the fraction for train must be > 0, and the sum at most 1")


def _evaluated_splits(values: Values) -> Iterator[Contradiction]:
    names = values["eval.split"]
    if len(set(names)) < len(names):
        yield Contradiction(("eval.split",), "a split is named twice")
    if not any(_fraction(values, name) for name in names):
        yield Contradiction(("eval.split", "data.splits"), f"data.splits leaves nothing for {', '.join(names)}")


def _best_result(values: Values) -> Iterator[Contradiction]:
    key, names = values["eval.best_res_update_round_wise_key"], values["eval.split"]
    split = key.partition("_")[0]
    if split not in names:
        yield Contradiction(
            ("eval.best_res_update_round_wise_key", "eval.split"),
            f"eval.best_res_update_round_wise_key = {key}, but eval.split does not hold {split}",
        )
    elif _fraction(values, split) == 0:
        yield Contradiction(
            ("eval.best_res_update_round_wise_key", "data.splits"),
            f"eval.best_res_update_round_wise_key = {key}, but data.splits leaves nothing for {split}",
        )


def _fraction(values: Values, split: str) -> float:
    return float(values["data.splits"][("train", "val", "test").index(split)])


def _mezo_takes_plain_steps(values: Values) -> Iterator[Contradiction]:
    if values["trainer.type"] != "mezotrainer":
        return
    for name in values.arguments("train.optimizer"):
        yield Contradiction((name, "trainer.type"), f"trainer.type = mezotrainer takes no {name}")
    for name, wanted in _PLAIN_STEPS.items():
        if values.sound(name) and values[name] != wanted:
            message = f"trainer.type = mezotrainer takes plain steps, {name} = {wanted}"
            yield Contradiction((name, "trainer.type"), message)


def _rate_from_curvature(values: Values) -> Iterator[Contradiction]:
    if values["train.optimizer.lr"] != AUTO:
        return
    wanted = {"trainer.type": ("mezotrainer",), "train.train_strategy": ("frozen",), "zo.normalise": ("none", "newton")}
    for name, allowed in wanted.items():
        if values[name] not in allowed:
            message = f"train.optimizer.lr = {AUTO} wants {name} = {alternatives(allowed)}, not {values[name]}"
            yield Contradiction((name, "train.optimizer.lr"), message)


def _deviation_of_queries(values: Values) -> Iterator[Contradiction]:
    if values["zo.normalise"] == "std" and values["zo.queries"] < 2 and values["trainer.type"] == "mezotrainer":
        message = "zo.normalise = std divides by the deviation of a step's queries: zo.queries at least 2"
        yield Contradiction(("zo.normalise", "zo.queries"), message)


def _gradients_of_the_criterion(values: Values) -> Iterator[Contradiction]:
    kind = values["criterion.type"]
    if values["trainer.type"] == "llmtrainer" and kind in ("accuracy", *registered("text_metrics")):
        message = f"criterion.type = {kind} has no gradient, which llmtrainer needs; mezotrainer does without"
        yield Contradiction(("criterion.type", "trainer.type"), message)


def _interval_of_rates(values: Values) -> Iterator[Contradiction]:
    strategy = values["train.train_strategy"]
    if values["train.optimizer.lr"] == AUTO:
        return
    rate, half_width = values["train.optimizer.lr"], values["train.lr_half_width"]
    if strategy != "frozen" and half_width >= rate:
        yield Contradiction(
            ("train.lr_half_width", "train.optimizer.lr", "train.train_strategy"),
            f"train.train_strategy = {strategy} wants train.lr_half_width = {half_width} "
            f"below train.optimizer.lr = {rate}",
        )


def _half_precision_masters(values: Values) -> Iterator[Contradiction]:
    """All parameters in half precision have no fp32 masters: only what scalars lead to is rounded to them."""
    if not values["train.is_enable_half"] or values["llm.adapter.use"]:
        return
    for key, wrong in _NEED_MASTERS.items():
        if values[key] == wrong:
            yield Contradiction(
                ("train.is_enable_half", "llm.adapter.use", key),
                f"all parameters in half precision are trained by mezotrainer with scalars, and not compiled; "
                f"{key} = {wrong} wants train.is_enable_half False or llm.adapter.use True",
            )


def _dirichlet(values: Values) -> Iterator[Contradiction]:
    if values["data.splitter"] != "lda":
        return
    for arguments in values["data.splitter_args"]:
        alpha = arguments.get("alpha")
        if set(arguments) != {"alpha"} or isinstance(alpha, bool) or not isinstance(alpha, int | float) or alpha <= 0:
            yield Contradiction(
                ("data.splitter_args", "data.splitter"),
                "lda takes one argument, a number > 0: [{alpha: 0.5}]",
            )


def _splitters_without_arguments(values: Values) -> Iterator[Contradiction]:
    splitter = values["data.splitter"]
    if splitter in ("iid", "meta") and any(values["data.splitter_args"]):
        yield Contradiction(("data.splitter_args", "data.splitter"), f"data.splitter = {splitter} takes no arguments")


def _generated_data(values: Values) -> Iterator[Contradiction]:
    if values["data.type"] == "arithmetic@llm" and values["data.file"]:
        yield Contradiction(("data.file", "data.type"), "data.type = arithmetic@llm is generated, it reads no file")


def _schedule(values: Values) -> Iterator[Contradiction]:
    arguments = values.arguments("train.scheduler")
    if arguments and not values["train.scheduler.type"]:
        yield Contradiction((arguments[0],), "an argument of a schedule, but train.scheduler.type is empty")


def _transport(values: Values) -> Iterator[Contradiction]:
    if values["federate.transport"] == "scalars" and values["trainer.type"] == "llmtrainer":
        message = "trainer.type = llmtrainer has weights to send, no scalars; mezotrainer has"
        yield Contradiction(("federate.transport", "trainer.type"), message)


def _deployment(values: Values) -> Iterator[Contradiction]:
    if values["engine.type"] != "flower":
        return
    if not re.fullmatch(r"[^\s/]+:\d+", values["engine.superlink"]):
        yield Contradiction(
            ("engine.superlink", "engine.type"), "engine.type = flower wants engine.superlink HOST:PORT"
        )
    keys, clients = values["engine.keys"], values["federate.client_num"]
    if keys and len(keys) != clients:
        yield Contradiction(
            ("engine.keys", "federate.client_num"),
            f"{len(keys)} keys for federate.client_num = {clients}; each client has one",
        )


def _counting(values: Values) -> Iterator[Contradiction]:
    if not values["eval.count_flops"]:
        return
    if values["engine.type"] != "local":
        message = "the operations of other processes are not counted; engine.type = local has the clients in this one"
        yield Contradiction(("eval.count_flops", "engine.type"), message)
    if values["train.compile"]:
        message = "operations of compiled layers are not counted; train.compile = False gives the same number"
        yield Contradiction(("eval.count_flops", "train.compile"), message)


def _participation(values: Values) -> Iterator[Contradiction]:
    if not values["federate.participation"]:
        return
    for key, unused in (("federate.sample_client_num", 0), ("federate.sample_client_rate", -1.0)):
        if values[key] != unused:
            message = f"{key} has no say where federate.participation names who takes part"
            yield Contradiction((key, "federate.participation"), message)


def _blocks(values: Values) -> Iterator[Contradiction]:
    for key, default in (("zo.use_blocks", []), ("zo.block_order", "cyclic")):
        if values["zo.blocks"] == 1 and values[key] not in (default, tuple(default)):
            yield Contradiction((key, "zo.blocks"), f"{key} has no effect where zo.blocks = 1 divides nothing")


RULES: tuple[Rule, ...] = (
    _sampling,
    _fractions,
    _evaluated_splits,
    _best_result,
    _mezo_takes_plain_steps,
    _rate_from_curvature,
    _deviation_of_queries,
    _gradients_of_the_criterion,
    _interval_of_rates,
    _half_precision_masters,
    _dirichlet,
    _splitters_without_arguments,
    _generated_data,
    _schedule,
    _transport,
    _deployment,
    _counting,
    _participation,
    _blocks,
)


def check(values: Mapping[str, Any], settings: Settings, problems: Problems) -> None:
    """Note every contradiction between values that are themselves fine.

    Args:
        values: the values of all keys.
        settings: those that were set, for their places.
        problems: what was found so far; takes the contradictions.
    """
    sound = Values(values, Problems(problems))
    for rule in RULES:
        try:
            for contradiction in rule(sound):
                problems.append(_problem(contradiction, settings))
        except _UnsoundError:
            continue


def _problem(contradiction: Contradiction, settings: Settings) -> Problem:
    """Return the problem at the first of the keys that was set (defaults do not contradict each other)."""
    key = next(key for key in contradiction.keys if key in settings)
    node = settings[key].node
    return Problem(place(node), key, written(node), contradiction.message)
