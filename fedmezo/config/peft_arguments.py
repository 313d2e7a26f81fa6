"""The mapping of ``llm.adapter.args``: a method of PEFT, and the arguments that its row allows.

Rows (:mod:`fedmezo.models.adapters.methods`) are read from their files, of the package or of an extension, without
running them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yaml import Node

from fedmezo.config.names import declared, registered
from fedmezo.config.tree import in_yaml
from fedmezo.config.types import (
    Arguments,
    Boolean,
    Choice,
    FieldType,
    Integer,
    ListOf,
    Nullable,
    Number,
    ScalarType,
    Text,
)
from fedmezo.config.types.number import number
from fedmezo.core.documents.nodes import Scalar, UnfitError, is_mapping, items, pairs, typed
from fedmezo.core.documents.problems import Problems
from fedmezo.core.text import nearest

FOLDER = "models/adapters/methods"
PACKAGE, METHOD = "adapter_package", "adapter_method"
DEFAULT = "lora"

_SYNONYMS = {"prefix-tuning": "prefix", "prompt-tuning": "prompt", "ptuning": "p-tuning"}
_INSTEAD = {"adalora": "; adalora allots ranks by gradients: use lora, with rank_pattern for ranks of your own"}


class Modules(FieldType):
    """Modules of a model: a regular expression for whole names, or a list of the ends of names."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a regular expression, or a list of names"

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the text, or the names as a tuple."""
        return (Text() if items(node) is None else ListOf(Text())).convert(node, key, problems)


class OnlyTrue(ScalarType):
    """True: the initial values come from the run's seed, and another choice of them is not offered."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "True, as initial values come from the run's seed"

    def accept(self, value: Scalar) -> bool:
        """Return True."""
        if value is not True:
            raise UnfitError
        return True


_KINDS: Mapping[str, Callable[..., FieldType]] = {
    "integer": Integer,
    "number": Number,
    "boolean": Boolean,
    "text": Text,
    "modules": Modules,
    "mapping": Arguments,
    "true": OnlyTrue,
}
_LISTS = {"list of ": (0, None), "pair of ": (2, 2), "one or more ": (1, None)}
_BOUNDS = {">=": "low", ">": "above", "<=": "high", "<": "below"}


def kind_of(words: str) -> FieldType:
    """Return the kind of value that a row says in words; see :class:`fedmezo.models.adapters.methods.Method`.

    Raises:
        ValueError: the words say none.
    """
    if words.endswith(" or null"):
        return Nullable(kind_of(words.removesuffix(" or null")))
    for start, (least, most) in _LISTS.items():
        if words.startswith(start):
            return ListOf(kind_of(words.removeprefix(start)), least, most)
    if words.startswith("one of "):
        return Choice(tuple(words.removeprefix("one of ").split(", ")))
    name, *bounds = words.split() or [words]
    try:
        limits = {_BOUNDS[sign]: number(bound) for sign, bound in zip(bounds[::2], bounds[1::2], strict=True)}
        return _KINDS[name](**limits)
    except (KeyError, TypeError, ValueError, UnfitError) as error:
        raise ValueError(f"{words!r} is no kind of value{nearest(name, _KINDS)}") from error


class MethodName(ScalarType):
    """The name of a method: one of the package's own in any case, with hyphens or underscores."""

    def describe(self) -> str:
        """Return what is allowed."""
        return f"one of {', '.join(registered(FOLDER))}"

    def accept(self, value: Scalar) -> str:
        """Return the name, which :meth:`AdapterArguments.objection` looks up."""
        if not isinstance(value, str):
            raise UnfitError
        word = value.lower().replace("_", "-")
        word = _SYNONYMS.get(word, word)
        return word if word in registered(FOLDER) else value


class AdapterArguments(FieldType):
    """A mapping of a method and its arguments; those of an extension's method are checked once it is known."""

    def describe(self) -> str:
        """Return what is allowed."""
        return f"a mapping of {METHOD} ({MethodName().describe()}) and its arguments"

    def convert(self, node: Node, key: str, problems: Problems) -> dict[str, Any] | None:
        """Return the arguments, completed with the method's defaults."""
        if not is_mapping(node):
            problems.reject(node, key, f"expected {self.describe()}")
            return None
        chosen = next((pair.value for pair in pairs(node) if pair.word == METHOD), None)
        name: str | None = DEFAULT
        if chosen is not None:
            name = MethodName().convert(chosen, f"{key}.{METHOD}", problems)
        return None if name is None else arguments_of(name).convert(node, key, problems)

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return the methods there are, where ``value`` names none of them, or what its row does not allow."""
        name, names = value[METHOD], registered(FOLDER, extensions)
        if name in registered(FOLDER):
            return ""
        if name not in names:
            hint = _INSTEAD.get(name.lower()) or nearest(name, names)
            return f"{METHOD} = {name}: expected one of {', '.join(names)}{hint}"
        found = Problems()
        try:
            arguments_of(name, extensions).convert(typed(in_yaml(value)), "", found)
        except (ValueError, AttributeError, TypeError) as error:
            return f"arguments of {name}: {error}"
        return next((f"{each.key.lstrip('.')} = {each.value}: {each.message}" for each in found), "")


def arguments_of(name: str, extensions: Sequence[str] = ()) -> Arguments:
    """Return the arguments that a method allows; any, where its row does not say, or is not known yet.

    Raises:
        ValueError: the row says something else than kinds of values.
    """
    row = declared(FOLDER, name, extensions)
    allowed = row.literals.get("arguments") if row else None
    known = {argument: kind_of(words) for argument, words in (allowed or {}).items()}
    own = {PACKAGE: Choice(("peft",)), METHOD: MethodName()}
    defaults = {PACKAGE: "peft", METHOD: name} | (row.literals.get("defaults", {}) if row else {})
    return Arguments(own | known, defaults, open=allowed is None)
