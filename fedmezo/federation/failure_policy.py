"""What becomes of a round in which clients fail."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from fedmezo.core.errors import ClientError
from fedmezo.core.log import LOG
from fedmezo.federation.engine import Engine, Failure
from fedmezo.federation.messages import Plan, Reply
from fedmezo.ledger.records import RoundRecord


@dataclass(frozen=True)
class FailurePolicy:
    """The policy for clients that fail or do not answer.

    Args:
        drop: go on without them; otherwise the first of them ends the run.
        retries: times that a task is given again before.
        least: answers that a round needs.
    """

    drop: bool = False
    retries: int = 0
    least: int = 1

    def run(self, engine: Engine, plan: Plan, parameters: Tensor) -> Iterator[Reply | Failure]:
        """Yield what became of every task of a round, in client order.

        Raises:
            ClientError: a client failed, and that is not to be tolerated.
        """
        for result in engine.run(plan, parameters):
            last = self._retried(engine, result, parameters) if isinstance(result, Failure) else result
            if isinstance(last, Failure):
                if not self.drop:
                    last.throw()
                LOG.warning(f"{last.message}\n    the round goes on without it")
            yield last

    def check(self, plan: Plan, record: RoundRecord) -> None:
        """Make sure that enough answers count.

        Raises:
            ClientError: they are too few; the round is not recorded.
        """
        wanted, found = min(self.least, len(plan.tasks)), len(record.clients)
        if found < wanted:
            raise ClientError(
                f"round {plan.round_index}: {found} of {len(plan.tasks)} answers count; "
                f"federate.min_results = {self.least} asks for more"
            )

    def _retried(self, engine: Engine, failed: Failure, parameters: Tensor) -> Reply | Failure:
        result: Reply | Failure = failed
        for again in range(self.retries):
            assert isinstance(result, Failure)
            LOG.warning(f"{result.message}\n    tried again ({again + 1} of {self.retries})")
            (result,) = engine.run(Plan(failed.task.round_index, (failed.task,)), parameters)
            if isinstance(result, Reply):
                break
        return result
