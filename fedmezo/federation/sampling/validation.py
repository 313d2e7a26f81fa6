"""What is checked of a sampler's answer."""

from collections.abc import Sequence

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.federation.sampling import Draw, Sampler


def checked_clients(sampler: Sampler, found: object, draw: Draw) -> list[int]:
    """Return the clients of a round, ascending.

    Raises:
        ConfigurationError: they are not ``draw.count`` different clients; the message names file and line.
    """
    known, listed = range(len(draw.sizes)), list(found) if isinstance(found, Sequence) else []
    if len(listed) != draw.count or len(set(listed)) != draw.count or not all(each in known for each in listed):
        raise ConfigurationError(
            f"{defined_at(sampler.clients)}\n    clients returned {found} for round {draw.round_index}\n"
            f"    expected {draw.count} different whole numbers from 0 to {len(draw.sizes) - 1}"
        )
    return sorted(int(each) for each in listed)
