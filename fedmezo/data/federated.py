"""The data of a federated run: encoded examples and their division among clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmezo.data.encoding import EncodedExamples, Tokenizer, encode
from fedmezo.data.load import load_dataset
from fedmezo.data.partition import Partition
from fedmezo.data.partitioning import Splits, make_partition
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.sources.source import Request
from fedmezo.data.splitters.make import make_splitter
from fedmezo.data.table import partition_table
from fedmezo.errors import ResourceError


@dataclass(frozen=True, eq=False)
class FederatedData:
    """Everything a run trains and evaluates on.

    Attributes:
        name: the dataset's name.
        source: where it came from, in words.
        encoded: the examples; the partition's indices point into them.
        categories: of each encoded example.
        partition: which client holds which examples.
        num_own_test: how many of the encoded examples are the dataset's own test set.
        num_dropped: examples left out because the token limit cut off their whole response.
    """

    name: str
    source: str
    encoded: EncodedExamples
    categories: Sequence[str | None]
    partition: Partition
    num_own_test: int
    num_dropped: int

    def describe(self) -> str:
        """Return the data in words: source, examples, clients, the table of who has what, warnings."""
        table = partition_table(self.partition, self.categories)
        return "\n".join([*self._headline(), table, *self._warnings()])

    def outline(self) -> str:
        """Return the same without the table."""
        return "\n".join([*self._headline(), *self._warnings()])

    def _headline(self) -> list[str]:
        own = f", {self.num_own_test} of them its own test set" if self.num_own_test else ""
        if own and not any(len(client.test) for client in self.partition.clients):
            own += " (not used: the fraction for test is 0)"
        dropped = f"; {self.num_dropped} left out: llm.tok_len cuts off their response" if self.num_dropped else ""
        return [
            f"data: {self.name}, {self.source}",
            f"examples: {len(self.encoded)}{own}{dropped}",
            f"clients: {len(self.partition.clients)}, partition {self.partition.digest()}",
        ]

    def _warnings(self) -> list[str]:
        return [f"warning: {warning}" for warning in self.partition.warnings]


def build(
    request: Request,
    *,
    tokenizer: Tokenizer,
    tok_len: int,
    splits: Splits,
    num_clients: int,
    prompt: str = "alpaca",
    splitter: str = "iid",
    splitter_args: Mapping[str, object] | None = None,
    subsample: float = 1.0,
    cache: Path | None = None,
) -> FederatedData:
    """Load a dataset, encode it, and divide it among clients.

    The arguments are those of :func:`load_dataset`, :func:`encode` (``prompt`` by name), :func:`make_splitter`
    and :func:`make_partition` (with the request's seed), which say what they mean and what they raise.
    """
    divide = make_splitter(splitter, splitter_args or {})
    dataset = load_dataset(request)
    encoded, kept = encode(dataset.examples, tokenizer, make_prompt(prompt, tokenizer), tok_len, cache)
    categories = [dataset.examples[index].category for index in kept]
    num_own_test = int((kept >= len(dataset.examples) - dataset.num_own_test).sum())
    num_dropped = len(dataset.examples) - len(kept)
    try:
        partition = make_partition(
            categories,
            num_own_test,
            splitter=divide,
            splits=splits,
            num_clients=num_clients,
            seed=request.seed,
            subsample=subsample,
        )
    except ResourceError as error:
        if num_dropped == 0:
            raise
        lost = f"{num_dropped} of {len(dataset.examples)} examples were left out: llm.tok_len = {tok_len}"
        raise ResourceError(f"{error}\n    {lost} cuts off their whole response") from error
    return FederatedData(dataset.name, dataset.source, encoded, categories, partition, num_own_test, num_dropped)
