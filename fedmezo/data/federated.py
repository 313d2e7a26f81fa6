"""The data of a federated run: encoded examples and their division among clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.divide import Splits, make_partition
from fedmezo.data.duplicates import Copies, Duplicates, copies_warnings, find_copies, without_copies
from fedmezo.data.encoding import EncodedExamples, Tokenizer, encode
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.label_tokens import spaced
from fedmezo.data.limits import limited, missing_classes, with_balanced_held_out
from fedmezo.data.load import find_task, load_dataset
from fedmezo.data.partition import SPLITS, Partition
from fedmezo.data.partition_table import partition_table
from fedmezo.data.phrases import sentences_of
from fedmezo.data.prompts.make import make_prompt
from fedmezo.data.prompts.task import TaskPrompt
from fedmezo.data.shortening import Shortened, shortened
from fedmezo.data.sources.source import Request
from fedmezo.data.splitters.make import make_splitter
from fedmezo.text_metrics import Reference


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
        labels: for classification, the class of each encoded example.
        words: for classification, all classes.
        references: the right answers of each encoded example.
        candidates: the responses that its answer is chosen among; empty where it is written.
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
    labels: Sequence[str | None] = ()
    words: tuple[str, ...] = ()
    references: Sequence[tuple[Reference, ...]] = ()
    candidates: Sequence[tuple[str, ...]] = ()

    @property
    def cells(self) -> Sequence[str | None]:
        """What evaluated examples are drawn of in proportion: categories, and for classification their classes."""
        if not self.words:
            return self.categories
        return [f"{category or ''} {label}" for category, label in zip(self.categories, self.labels, strict=True)]

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
                *([f"classes: {', '.join(self.words)}"] if self.words else []),
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


@dataclass(frozen=True)
class Selection:
    """Which examples are divided, by what, and how many of them a client keeps.

    Attributes:
        by_label: the splitter divides by classes, not categories.
        balance: as many examples of each class, in every category, are divided and held out; nothing without classes.
        shots: the most training examples of each class that a client keeps; 0 for all.
        client_examples: the most training examples that a client keeps; 0 for all.
    """

    by_label: bool = False
    balance: bool = False
    shots: int = 0
    client_examples: int = 0

    @property
    def of_classes(self) -> str:
        """The key that only classification has, and that is not left out elsewhere, if one is set; else empty."""
        keys = {"data.split_by": self.by_label, "data.shots": self.shots}
        return next((key for key, wanted in keys.items() if wanted), "")


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
    selection: Selection = Selection(),
    cache: Path | None = None,
) -> FederatedData:
    """Load a dataset, encode it, and divide it among clients.

    The arguments are those of :func:`load_dataset`, :func:`make_prompt` (``prompt`` is its name; a task has its own),
    :func:`encode`, :func:`make_splitter` and :func:`make_partition` (with the request's seed), which say what they mean
    and what they raise; ``duplicates`` says what becomes of held-out examples that equal one of another part.
    """
    divide = make_splitter(splitter, splitter_args or {})
    loaded = _encoded(request, tokenizer, tok_len, prompt, day, cache)
    _check_classes(selection, loaded.dataset)
    balance = selection.balance and bool(loaded.words)
    cells = [(example.category or "", example.label or "") for example in loaded.examples]
    try:
        partition = make_partition(
            [example.label if selection.by_label else example.category for example in loaded.examples],
            loaded.num_own_test,
            splitter=divide,
            splits=splits,
            num_clients=num_clients,
            seed=request.seed,
            subsample=subsample,
            cells=cells if balance else None,
            groups=_groups(loaded, splits),
        )
    except ResourceError as error:
        if loaded.num_dropped == 0:
            raise
        lost = f"{loaded.num_dropped} of {len(loaded.dataset.examples)} examples were left out: llm.tok_len = {tok_len}"
        raise ResourceError(f"{error}\n    {lost} cuts off their whole response") from error
    labels = [example.label for example in loaded.examples]
    partition = limited(partition, labels, selection.shots, selection.client_examples, request.seed)
    copies = find_copies(partition, loaded.examples, loaded.encoded)
    kept = partition if duplicates == "keep" else without_copies(partition, copies)
    if balance:
        kept = with_balanced_held_out(kept, cells, request.seed)
    words = loaded.words
    warnings = (
        *([f"data.balance = True has no effect: {request.name} has no classes"] if selection.balance > balance else []),
        *partition.warnings,
        *copies_warnings(partition, copies, duplicates),
        *_cut_warnings(partition, loaded.encoded, tok_len),
        *_shortened_warnings(loaded, tok_len),
        *missing_classes(kept.clients, labels, words),
    )
    return FederatedData(
        loaded.dataset.name,
        loaded.dataset.source,
        loaded.encoded,
        [example.category for example in loaded.examples],
        kept,
        loaded.num_own_test,
        loaded.num_dropped,
        copies,
        warnings,
        labels if words else (),
        words,
        [example.right_answers for example in loaded.examples],
        [example.candidates for example in loaded.examples],
    )


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A dataset, those of its examples that could be encoded, and what the token limit did to their texts."""

    dataset: Dataset
    examples: Sequence[Example]
    encoded: EncodedExamples
    num_own_test: int
    short: Shortened | None

    @property
    def num_dropped(self) -> int:
        return len(self.dataset.examples) - len(self.examples)

    @property
    def words(self) -> tuple[str, ...]:
        return self.dataset.task.classes if self.dataset.task else ()


def _encoded(
    request: Request, tokenizer: Tokenizer, tok_len: int, prompt: str, day: date | None, cache: Path | None
) -> _Loaded:
    task = find_task(request)
    dataset = load_dataset(request, spaced(task, tokenizer) if task else None)
    examples: Sequence[Example] = dataset.examples
    short = None
    ends = task is None or task.kind == "generation"
    form = make_prompt(prompt, tokenizer, day) if task is None else TaskPrompt()
    if task is not None:
        short = shortened(examples, tokenizer, form, tok_len, closing=int(ends))
        examples = short.examples
    encoded, kept = encode(examples, tokenizer, form, tok_len, cache, ends=ends)
    num_own_test = int((kept >= len(examples) - dataset.num_own_test).sum())
    return _Loaded(dataset, [examples[index] for index in kept], encoded, num_own_test, short)


def _check_classes(selection: Selection, dataset: Dataset) -> None:
    if selection.of_classes and not (dataset.task and dataset.task.labels):
        raise ConfigurationError(f"{selection.of_classes}\n    {dataset.name} has no classes: it is for classification")


def _groups(loaded: _Loaded, splits: Splits) -> NDArray[np.int64] | None:
    """Return which examples must not be cut apart into training and held-out ones; None where none is."""
    task, cuts = loaded.dataset.task, splits[1] > 0 or (splits[2] > 0 and not loaded.num_own_test)
    return sentences_of([example.input for example in loaded.examples]) if task and task.phrases and cuts else None


def _shortened_warnings(loaded: _Loaded, tok_len: int) -> list[str]:
    if loaded.short is None or not loaded.short.cut:
        return []
    return [
        f"llm.tok_len = {tok_len} cuts off the end of {loaded.short.cut} of {len(loaded.dataset.examples)} texts "
        f"(never of questions or answers); the longest example has {loaded.short.longest} tokens"
    ]


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
