"""What a step costs in forwards: a forward of all layers is one. Heads are not counted."""

from dataclasses import dataclass

from fedmezo.evaluation.theory.division import Division
from fedmezo.zeroth_order.estimators import Estimator


@dataclass(frozen=True)
class Forwards:
    """The forwards of an estimator's steps.

    Args:
        estimator: of the run.
        division: into blocks.
        ascending: whether the forward of a direction begins at its block; else it is of the whole model.
    """

    estimator: Estimator
    division: Division
    ascending: bool

    def whole(self, queries: int) -> int:
        """Return the forwards of a step along so many whole directions."""
        return len(self.estimator.lanes(list(range(1, queries + 1)), 1.0))

    def direction(self, block: int, queries: int) -> float:
        """Return the forwards of one of a step's directions, which is in a block, with its share of the base's."""
        lanes = self.estimator.lanes(list(range(1, queries + 1)), 1.0)
        perturbed = sum(lane.scale != 0.0 for lane in lanes)
        if not self.ascending:
            return len(lanes) / queries
        return (perturbed * self.division.share(block) + 1.0) / queries

    def blocks(self, queries: int) -> float:
        """Return the forwards of a step along so many directions in blocks, in the mean over the blocks' turns."""
        used = self.division.order.used
        return sum(queries * self.direction(block, queries) for block in used) / len(used)

    def alike(self, queries: int) -> int:
        """Return how many whole directions cost at most as much as so many in blocks; one at least."""
        found, most = 1, self.blocks(queries) + 1e-9
        while self.whole(found + 1) <= most:
            found += 1
        return found
