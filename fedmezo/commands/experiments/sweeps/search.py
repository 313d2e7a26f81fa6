"""Which values a trial takes: drawn, or learnt from the trials that have ended (Optuna)."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from fedmezo.commands.experiments.sweeps.sweep import Dimension, Ended, Range, Sweep, Values

DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
START = 10  # trials that are drawn before TPE learns from them


def propose(sweep: Sweep, number: int, ended: Sequence[Ended], running: Sequence[Values]) -> dict[str, Any]:
    """Return the values of a trial.

    They depend on the sweep, the number and the trials given only, so that a sweep that was interrupted goes on as it
    would have.

    Args:
        sweep: it.
        number: of the trial, from 0.
        ended: the trials that have.
        running: values of those that have begun.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=_sampler(sweep, number), direction=DIRECTIONS[sweep.goal])
    distributions = {key: _distribution(each) for key, each in sweep.space.items()}
    known = [
        (each.values, TrialState.FAIL if each.score is None else TrialState.COMPLETE, each.score) for each in ended
    ]
    known += [(values, TrialState.RUNNING, None) for values in running]
    for values, state, score in known:
        params = {key: _drawn(each, values[key]) for key, each in sweep.space.items()}
        study.add_trial(create_trial(state=state, value=score, params=params, distributions=distributions))
    drawn = study.ask(distributions).params
    return {key: _value(each, drawn[key]) for key, each in sweep.space.items()}


def _sampler(sweep: Sweep, number: int) -> optuna.samplers.BaseSampler:
    seed = (sweep.seed << 20) + number
    if sweep.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=START, constant_liar=True)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if not isinstance(dimension, Range):
        return CategoricalDistribution(range(len(dimension)))
    low, high, log = dimension.low, dimension.high, dimension.log
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _value(dimension: Dimension, drawn: Any) -> Any:
    return drawn if isinstance(dimension, Range) else dimension[drawn]


def _drawn(dimension: Dimension, value: Any) -> Any:
    return value if isinstance(dimension, Range) else list(dimension).index(value)
