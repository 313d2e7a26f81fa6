"""Which clients take part: a function of the run's seed and the round alone."""

from fedmezo.core.randomness import generator, stream_key


def participants(client_num: int, sample_num: int, sample_rate: float) -> int:
    """Return how many clients take part in a round: a number, a rate, or all of them (0 and -1)."""
    if sample_num > 0:
        return sample_num
    return max(1, round(sample_rate * client_num)) if sample_rate > 0 else client_num


def sample_clients(seed: int, round_index: int, client_num: int, count: int) -> list[int]:
    """Return the sampled clients in ascending order.

    Examples:
        >>> sample_clients(0, 7, client_num=4, count=4)
        [0, 1, 2, 3]
    """
    draw = generator(stream_key(seed, "sample", round_index=round_index))
    return sorted(draw.choice(client_num, size=count, replace=False).tolist())
