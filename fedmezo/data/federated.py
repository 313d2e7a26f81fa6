"""The data of a federated run: encoded examples and their division among clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fedmezo.core.errors import ResourceError
from fedmezo.data.divide import Splits, make_partition
from fedmezo.data.duplicates import Copies, Duplicates, copies_warnings, find_copies, without_copies
from fedmezo.data.encoding import EncodedExamples, Tokenizer, encode
from fedmezo.data.load import load_dataset
from fedmezo.data.partition import SPLITS, Partition
from fedmezo.data.partition_table import partition_table
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.sources.source import Request
from fedmezo.data.splitters.make import make_splitter


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
        copies: the held-out examples that equal one of another part, by split; the partition may be without them.
        warnings: what the user should know about the data.
    """

    name: str
    source: str
    encoded: EncodedExamples
    categories: Sequence[str | None]
    partition: Partition
    num_own_test: int
    num_dropped: int
    copies: Copies
    warnings: tuple[str, ...]

    def describe(self) -> str:
        """Return the data in words: source, examples, clients, the table of who has what, warnings."""
        table = partition_table(self.partition, self.categories)
        return "\n".join([self.outline(), table, *(f"warning: {warning}" for warning in self.warnings)])

    def outline(self) -> str:
        """Return source, examples and clients in words."""
        own = f", {self.num_own_test} of them its own test set" if self.num_own_test else ""
        if own and not any(len(client.test) for client in self.partition.clients):
            own += " (not used: the fraction for test is 0)"
        dropped = f"; {self.num_dropped} left out: llm.tok_len cuts off their response" if self.num_dropped else ""
        return "\n".join(
            [
                f"data: {self.name}, {self.source}",
                f"examples: {len(self.encoded)}{own}{dropped}",
                f"clients: {len(self.partition.clients)}, partition {self.partition.hash()}",
            ]
        )

    def to_json(self) -> dict[str, object]:
        """Return what ``partition.json`` holds: hash, warnings, and counts of examples per client and split."""
        return {
            "hash": self.partition.hash(),
            "warnings": list(self.warnings),
            "left_out": self.num_dropped,
            "cut": {name: int(self.encoded.cut[self.partition.union(name)].sum()) for name in SPLITS},
            "duplicates": {name: len(indices) for name, indices in self.copies.items()},
            "clients": self.partition.counts(self.categories),
        }


def build(
    request: Request,
    *,
    tokenizer: Tokenizer,
    tok_len: int,
    splits: Splits,
    num_clients: int,
    prompt: str = "alpaca",
    day: date | None = None,
    splitter: str = "iid",
    splitter_args: Mapping[str, object] | None = None,
    subsample: float = 1.0,
    duplicates: Duplicates = "remove",
    cache: Path | None = None,
) -> FederatedData:
    """Load a dataset, encode it, and divide it among clients.

    The arguments are those of :func:`load_dataset`, :func:`make_prompt` (``prompt`` is its name), :func:`encode`,
    :func:`make_splitter` and :func:`make_partition` (with the request's seed), which say what they mean and what they
    raise; ``duplicates`` says what becomes of held-out examples that equal one of another part.
    """
    divide = make_splitter(splitter, splitter_args or {})
    dataset = load_dataset(request)
    encoded, kept = encode(dataset.examples, tokenizer, make_prompt(prompt, tokenizer, day), tok_len, cache)
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
    copies = find_copies(partition, [dataset.examples[index] for index in kept], encoded)
    warnings = (
        *partition.warnings,
        *copies_warnings(partition, copies, duplicates),
        *_cut_warnings(partition, encoded, tok_len),
    )
    return FederatedData(
        dataset.name,
        dataset.source,
        encoded,
        categories,
        partition if duplicates == "keep" else without_copies(partition, copies),
        num_own_test,
        num_dropped,
        copies,
        warnings,
    )


def _cut_warnings(partition: Partition, encoded: EncodedExamples, tok_len: int) -> list[str]:
    """Return what the token limit does to responses, part by part; nothing where all are whole."""
    rows = {name: partition.union(name) for name in SPLITS}
    cut = {name: int(encoded.cut[part].sum()) for name, part in rows.items()}
    if not any(cut.values()):
        return []
    parts = ", ".join(f"{name} {cut[name]} of {len(part)}" for name, part in rows.items() if len(part))
    longest = max(int(encoded.whole_lengths[part].max(initial=0)) for part in rows.values())
    return [
        f"llm.tok_len = {tok_len} cuts off the end of {sum(cut.values())} responses ({parts}), so that the model is "
        f"not shown how they end; the longest example has {longest} tokens"
    ]
