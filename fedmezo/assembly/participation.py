"""Who takes part in a run's rounds: drawn from its seed, or as another run recorded it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from yacs.config import CfgNode

from fedmezo.core.errors import ConfigurationError, MalformedError
from fedmezo.core.extensions import instantiated
from fedmezo.core.run_folder import LEDGER
from fedmezo.federation import sampling
from fedmezo.federation.sampling import Draw, participants
from fedmezo.federation.sampling.validation import checked_clients
from fedmezo.ledger.ledger import Ledger

Participation = Callable[[int], Mapping[int, int]]  # of a round: its clients, with the local steps of each


def assemble_participation(cfg: CfgNode, steps: Callable[[int], int], sizes: Sequence[int]) -> Participation:
    """Return who takes part in each round.

    Args:
        cfg: of the run.
        steps: local steps of a client.
        sizes: examples of each client.

    Raises:
        ConfigurationError: the recorded participation is not one of this run's rounds and clients.
    """
    if cfg.federate.participation:
        return _Recorded(_recorded(cfg, steps), steps)
    return partial(_drawn, _sampler(cfg, sizes), steps)


def clients_in_a_round(cfg: CfgNode) -> int:
    """Return how many clients are drawn for a round."""
    federate = cfg.federate
    return participants(federate.client_num, federate.sample_client_num, federate.sample_client_rate)


class _Recorded:
    """The participation that a ledger records."""

    def __init__(self, rounds: list[dict[int, int]], steps: Callable[[int], int]) -> None:
        self._rounds = rounds
        self._steps = steps

    def __call__(self, round_index: int) -> dict[int, int]:
        """Return the clients of a round with their steps; where weights travelled, these are not recorded."""
        return {client: count or self._steps(client) for client, count in self._rounds[round_index].items()}


def _drawn(sample: Callable[[int], list[int]], steps: Callable[[int], int], round_index: int) -> dict[int, int]:
    return {client: steps(client) for client in sample(round_index)}


def _sampler(cfg: CfgNode, sizes: Sequence[int]) -> Callable[[int], list[int]]:
    sampler, count = instantiated(sampling.registry[cfg.federate.sampler]), clients_in_a_round(cfg)

    def sample(round_index: int) -> list[int]:
        draw = Draw(cfg.seed, round_index, count, sizes)
        return checked_clients(sampler, sampler.clients(draw), draw)

    return sample


def _recorded(cfg: CfgNode, steps: Callable[[int], int]) -> list[dict[int, int]]:
    path, rounds = cfg.federate.participation, _rounds(cfg.federate.participation)
    if len(rounds) < cfg.federate.total_round_num:
        raise ConfigurationError(
            f"federate.participation = {path}\n    it records {len(rounds)} rounds, and "
            f"federate.total_round_num = {cfg.federate.total_round_num}; ask for at most as many"
        )
    unknown = sorted({client for row in rounds for client in row if client >= cfg.federate.client_num})
    if unknown:
        raise ConfigurationError(
            f"federate.participation = {path}\n    it records client {unknown[0]}, and "
            f"federate.client_num = {cfg.federate.client_num}"
        )
    more = next(((client, count) for row in rounds for client, count in row.items() if count > steps(client)), None)
    if more is not None:
        raise ConfigurationError(
            f"federate.participation = {path}\n    client {more[0]} took {more[1]} steps in a round, and "
            f"train.local_update_steps = {cfg.train.local_update_steps} allows {steps(more[0])}"
        )
    return rounds


def _rounds(path: str) -> list[dict[int, int]]:
    """Return the clients whose answers counted in each recorded round, with the steps that they took."""
    file = Path(path)
    try:
        ledger = Ledger(file / LEDGER if file.is_dir() else file)
    except MalformedError as error:
        raise ConfigurationError(f"federate.participation = {path}\n    {error}") from error
    if ledger.fault or ledger.header is None:
        raise ConfigurationError(f"federate.participation = {path}\n    {ledger.damage() or 'no ledger is there'}")
    return [
        {row.client: 0 if row.gradients is None else len(row.gradients) for row in record.clients}
        for record in ledger.rounds()
    ]
