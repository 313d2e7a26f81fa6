"""Mistakes in a configuration, and the one message that reports them all."""

from dataclasses import dataclass

from yaml import Node

from fedmezo.core.documents.nodes import place, written
from fedmezo.core.errors import ConfigurationError


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, the key and value as written (both may be empty), and what is allowed."""

    place: str
    key: str
    value: str
    message: str

    def __str__(self) -> str:
        """Return the two lines that the user reads."""
        subject = f"{self.key} = {self.value}" if self.value else self.key
        return f"  {self.place}  {subject}".rstrip() + f"\n      {self.message}"


class Problems(list[Problem]):
    """The mistakes found so far."""

    def reject(self, node: Node, key: str, message: str, at: Node | None = None) -> None:
        """Note that the value in ``node`` is not allowed for ``key``; ``at`` is a better place for it."""
        self.append(Problem(place(at or node), key, written(node), message))

    def concern(self, key: str) -> bool:
        """Return whether a mistake leaves the value of ``key`` in doubt: in it, or in what should hold it."""
        return any(
            problem.key in ("", key)
            or problem.key.startswith(("_base_", f"{key}.", f"{key}["))  # a file is missing: all is in doubt
            or key.startswith(f"{problem.key}.")
            for problem in self
        )

    def raise_if_any(self, where: str = "the configuration") -> None:
        """Raise one error that lists every mistake once.

        Args:
            where: what they are in.

        Raises:
            ConfigurationError: there are mistakes.
        """
        distinct = list(dict.fromkeys(self))  # a file that two others build on is read twice
        if distinct:
            count = "1 mistake" if len(distinct) == 1 else f"{len(distinct)} mistakes"
            raise ConfigurationError("\n".join([f"{count} in {where}", *map(str, distinct)]))
