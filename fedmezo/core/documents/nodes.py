"""YAML nodes: a text's tree with its places, before any value is made of it.

PyYAML's safe loader composes the tree; a tag can name nothing but YAML's own scalars, lists and mappings.

Numbers are decimal: ``010`` is no octal number, as it is in YAML 1.1, but text, and so is ``1e-3``. Where a number is
wanted, these are what they look like; ``0x10``, ``1_000`` and ``1:30``, which YAML 1.1 takes for numbers, are none.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.resolver import Resolver

COMMAND_LINE = "command line"
NUMERIC = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_DEEPEST = 50
_LONGEST = 60
_YAML = "tag:yaml.org,2002:"
_INT, _FLOAT = _YAML + "int", _YAML + "float"
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TEXTS = {_YAML + name for name in ("str", "timestamp", "value", "merge")}
_CONSTRUCTED = {_YAML + name for name in ("int", "float", "bool", "null")}
_TUPLE = re.compile(r"\((.*,.*)?\)", re.DOTALL)

Scalar = bool | int | float | str | None


class UnfitError(ValueError):
    """A value is not what is wanted. The text is a hint for the user, often empty."""


def decimal(text: str) -> int | float:
    """Return a number from its decimal digits, such as ``010``, ``2.5`` or ``1e-3``.

    Raises:
        ValueError: it is none, or has more digits than can be read.
    """
    if not NUMERIC.fullmatch(text):
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else float(text)


class Pair(NamedTuple):
    """A key and a value of a mapping, and what is wrong with the key (empty where nothing is)."""

    word: str
    key: yaml.Node
    value: yaml.Node
    wrong: str


class DecimalLoader(yaml.SafeLoader):
    """The safe loader, to which numbers are decimal."""

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Return a number.

        Raises:
            ConstructorError: it is not decimal, or has more digits than can be read.
        """
        text = str(node.value)
        try:
            if _NOT_FINITE.fullmatch(text):
                return float(text.replace(".", "", 1))
            return decimal(text)
        except ValueError as error:
            raise ConstructorError(None, None, f"{text} is no decimal number", node.start_mark) from error


DecimalLoader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in resolvers if tag not in (_INT, _FLOAT)]
    for letter, resolvers in Resolver.yaml_implicit_resolvers.items()
}
_FIRST = list("-+.0123456789")
_PLAIN = r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$"  # as in YAML 1.1, without `_` and `:`
DecimalLoader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), _FIRST)
DecimalLoader.add_implicit_resolver(_FLOAT, re.compile(f"{_PLAIN}|(?:{_NOT_FINITE.pattern})$"), _FIRST)
for _tag in (_INT, _FLOAT):
    DecimalLoader.add_constructor(_tag, DecimalLoader.construct_number)


class _Loader(DecimalLoader):
    """The loader for trees of bounded depth, and of bounded size: an alias stands for a single value."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        assert isinstance(mark, yaml.Mark)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ComposerError(None, None, "nested too deeply", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(event, yaml.AliasEvent) and not isinstance(node, yaml.ScalarNode):
            raise ComposerError(None, None, "an alias may stand for a single value only", mark)
        return node


def compose(text: str, source: str) -> yaml.Node | None:
    """Return the tree of a YAML text, None for an empty one.

    Args:
        text: one YAML document.
        source: the name that :func:`place` gives to its nodes.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    loader = _Loader(text)
    loader.name = source
    node: yaml.Node | None = loader.get_single_node()
    return node


def typed(text: str) -> yaml.Node:
    """Return the tree of a value on the command line, read as YAML; an empty one is the empty text.

    Raises:
        yaml.YAMLError: the value is not YAML.
    """
    return compose(text, COMMAND_LINE) or literal(text)


def literal(text: str) -> yaml.ScalarNode:
    """Return the node of a text on the command line, taken as it is: the shell has taken the quotes of a file."""
    start, end = (yaml.Mark(COMMAND_LINE, at, 0, at, text, at) for at in (0, len(text)))
    return yaml.ScalarNode(f"{_YAML}str", text, start, end, style="'")


def literal_unless(fits: Callable[[yaml.Node], bool], text: str) -> yaml.Node:
    """Return the tree of a value on the command line if it is YAML that ``fits``, else its text as it is."""
    try:
        node = typed(text)
    except yaml.YAMLError:
        return literal(text)
    return node if fits(node) else literal(text)


def is_quoted(node: yaml.Node) -> bool:
    """Return whether a node is text in quotes."""
    return isinstance(node, yaml.ScalarNode) and node.style in ("'", '"')


def is_bracketed(node: yaml.Node) -> bool:
    """Return whether a node is a list or a mapping in brackets."""
    return bool(node.flow_style) if isinstance(node, yaml.CollectionNode) else items(node) is not None


def place(node: yaml.Node) -> str:
    """Return where a node was written: ``file:line``, or the command line."""
    return located(node.start_mark.name, node.start_mark.line)


def full_path(name: str, node: yaml.Node) -> Path:
    """Return the full path of a file that a node names: relative to the node's own file, or the current folder."""
    source = node.start_mark.name
    return (Path() if source == COMMAND_LINE else Path(source).parent).absolute() / name


def located(source: str, line: int) -> str:
    """Return a place from a source and a line counted from 0."""
    return source if source == COMMAND_LINE else f"{source}:{line + 1}"


def written(node: yaml.Node) -> str:
    """Return a node as the user wrote it, shortened to a part of one line."""
    start, end = node.start_mark, node.end_mark
    text = " ".join((start.buffer or "")[start.pointer : end.pointer].rstrip("\0").split()) or "(nothing)"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def scalar(node: yaml.Node) -> Scalar:
    """Return the value of a single-valued node as YAML 1.1 reads it, but for numbers, and dates, which stay text.

    Raises:
        UnfitError: the node is a list or a mapping, has a tag of its own, or contradicts its tag.
    """
    if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXTS | _CONSTRUCTED:
        raise UnfitError
    if node.tag in _TEXTS:
        return str(node.value)
    try:
        value: Scalar = DecimalLoader("").construct_object(node)
    except (yaml.YAMLError, KeyError) as error:  # PyYAML's own for `!!bool x`
        raise UnfitError from error
    return value


def other_number(node: yaml.Node) -> bool:
    """Return whether a node is no decimal number, but what YAML 1.1 takes for one."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None or NUMERIC.fullmatch(node.value):
        return False
    plain: str = Resolver().resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
    return plain in (_INT, _FLOAT)


def items(node: yaml.Node) -> list[yaml.Node] | None:
    """Return the nodes of a list, which may be written as a Python tuple, ``(a, b)``; else None."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value) if node.tag == f"{_YAML}seq" else None
    if not (isinstance(node, yaml.ScalarNode) and node.style is None and _TUPLE.fullmatch(node.value)):
        return None
    blank_lines = "\n" * node.start_mark.line  # so that the items have the line of the tuple
    try:
        inner = compose(f"{blank_lines}[{node.value[1:-1]}]", node.start_mark.name)
    except yaml.YAMLError:
        return None
    return list(inner.value) if isinstance(inner, yaml.SequenceNode) else None


def is_mapping(node: yaml.Node) -> TypeGuard[yaml.MappingNode]:
    """Return whether a node is a mapping without a tag of its own."""
    return isinstance(node, yaml.MappingNode) and node.tag == f"{_YAML}map"


def is_null(node: yaml.Node) -> bool:
    """Return whether a node is null."""
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_YAML}null"


def is_nothing(node: yaml.Node) -> bool:
    """Return whether nothing is written where a value could be, as when all of a group is commented out."""
    return is_null(node) and node.value == ""


def pairs(node: yaml.MappingNode) -> Iterator[Pair]:
    """Yield the keys and values of a mapping, in order."""
    first: dict[str, yaml.Node] = {}
    for key, value in node.value:
        word, wrong = "", "a key is a single word"
        if isinstance(key, yaml.ScalarNode):
            word, wrong = str(key.value), ""
        if word in first:
            wrong = f"given twice; the first is at {place(first[word])}"
        if key.tag == f"{_YAML}merge":
            wrong = "merge keys are not supported; name the files to build on in _base_"
        first.setdefault(word, key)
        yield Pair(word, key, value, wrong)
