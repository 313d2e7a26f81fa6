"""What happened, counted by kind."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of what happened, by kind, and the cases that must not happen."""

    title: str
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str, failure: str = "") -> None:
        """Count a case of a kind; ``failure`` describes it if it must not happen."""
        self.counts[kind][what] += 1
        if failure:
            self.failures.append(f"{self.title}, {kind}: {what}\n{failure}")
            print(f"\nFAILED {self.failures[-1]}\n", flush=True)

    def table(self) -> str:
        """Return the counts as a table: a row a kind, a column for whatever happened."""
        columns = sorted({what for row in self.counts.values() for what in row})
        rows = [[self.title, *columns]]
        rows += [[kind, *(str(row[what]) for what in columns)] for kind, row in sorted(self.counts.items())]
        rows.append(["all", *(str(sum(row[what] for row in self.counts.values())) for what in columns)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def progress(part: str, done: int, wanted: int, tally: Tally) -> None:
    """Say how far a part is, ten times in all."""
    if done == wanted or done % max(1, wanted // 10) == 0:
        print(f"{part}: {done} of {wanted}, {len(tally.failures)} failed", flush=True)
