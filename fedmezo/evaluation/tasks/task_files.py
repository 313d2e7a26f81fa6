"""Task files of the user's: what is wrong with them is told with its line, before anything is loaded."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

import yaml

from fedmezo.core.documents.nodes import Pair, is_mapping, items, pairs, place
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import read_text, syntax_problem
from fedmezo.core.errors import ResourceError
from fedmezo.core.text import listing, nearest

SUFFIXES = (".yaml", ".yml")
STRUCTURE = ("group", "task_list", "class", "<<")  # fields that lm_eval takes out before it makes a task of the others
LOCAL_FORMATS = ("json", "csv", "parquet", "text", "arrow")  # dataset_path: data_files are of this machine
PATTERN = frozenset("*?[{")

Fields = Mapping[str, Pair]


def check_task_file(path: Path) -> None:
    """Make sure that a file is a task, or a group of tasks, and that its data files are there.

    Raises:
        ConfigurationError: it is none; every mistake is listed.
        ResourceError: a data file is missing.
    """
    problems = Problems()
    found = _fields(path, (), problems)
    if not problems:
        _Checker(_Known.of_lm_eval(), problems).task(found, path)
    problems.raise_if_any("the task file")
    missing = next(_missing_files(found), None)
    if missing is not None:
        raise ResourceError(str(missing).strip())


def _fields(path: Path, chain: tuple[Path, ...], problems: Problems) -> dict[str, Pair]:
    """Return a file's fields; what it includes comes first, so that its own win."""
    root = _root(path, problems)
    if root is None:
        return {}
    if not is_mapping(root):
        problems.append(Problem(str(path), "", "", "expected a mapping of a task's fields"))
        return {}
    own = {pair.word: pair for pair in pairs(root)}
    included: dict[str, Pair] = {}
    for node in _several(own.pop("include", None)):
        other = path.parent / str(node.value)
        if not other.is_file():
            problems.reject(node, "include", f"there is no file {other}{_nearest_file(other)}")
        elif any(other.samefile(above) for above in (*chain, path)):
            problems.reject(node, "include", "the file includes itself")
        else:
            included |= _fields(other, (*chain, path), problems)
    return included | own


def _root(path: Path, problems: Problems) -> yaml.Node | None:
    text = read_text(path, problems)
    if text is None:
        return None
    loader = yaml.SafeLoader(text)
    loader.name = str(path)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, str(path)))
        return None
    return root or yaml.ScalarNode("", "", loader.get_mark(), loader.get_mark())


def _several(pair: Pair | None) -> list[yaml.Node]:
    """Return the nodes of a field that holds one value or a list of them."""
    if pair is None:
        return []
    found = items(pair.value)
    return [pair.value] if found is None else found


@dataclass(frozen=True)
class _Known:
    """What lm_eval knows by name; without torch."""

    task: frozenset[str]
    group: frozenset[str]
    output_types: tuple[str, ...]
    metrics: frozenset[str]
    aggregations: frozenset[str]
    filters: frozenset[str]

    @classmethod
    def of_lm_eval(cls) -> "_Known":
        from lm_eval import filters  # noqa: F401 - registers them
        from lm_eval.api import metrics, registry  # noqa: F401
        from lm_eval.api.instance import OutputType
        from lm_eval.config.group import GroupConfig
        from lm_eval.config.task import TaskConfig

        return cls(
            frozenset(field.name for field in fields(TaskConfig)),
            frozenset(field.name for field in fields(GroupConfig)),
            get_args(OutputType),
            frozenset(registry.metric_registry),
            frozenset(registry.aggregation_registry),
            frozenset(registry.filter_registry),
        )


@dataclass(frozen=True)
class _Checker:
    known: _Known
    problems: Problems

    def task(self, found: Fields, path: Path) -> None:
        """Note what is wrong with the fields of a task, or of a group and the tasks in it."""
        if "class" in found:  # a program, whose fields are its own
            return
        if "group" not in found and "task" not in found:
            self.problems.append(Problem(str(path), "task", "", "is missing: the task's name"))
        allowed = self.known.task | (self.known.group if "group" in found else frozenset())
        for name, pair in found.items():
            if name not in (*allowed, *STRUCTURE):
                message = f"there is no such field{nearest(name, allowed)}; the fields are {listing(sorted(allowed))}"
                self.problems.append(Problem(place(pair.key), name, "", message))
        if "output_type" in found:
            self._word(found["output_type"].value, "output_type", self.known.output_types)
        if not any(node.tag == "!function" for pair in found.values() for node in _scalars(pair.value)):
            self._metrics(found)
            self._filters(found)
        if "group" in found:
            for node in filter(is_mapping, _several(found.get("task"))):
                self.task({pair.word: pair for pair in pairs(node)}, path)

    def _metrics(self, found: Fields) -> None:
        """Note unknown metrics and aggregations; programs may register more."""
        for metric in self._mappings(found.get("metric_list"), "metric_list"):
            elsewhere = "process_results" in found or "hf_evaluate" in metric  # what names it, then, is not lm_eval
            if "metric" in metric and not elsewhere:
                hint = ", or of the library evaluate with hf_evaluate: true"
                self._word(metric["metric"].value, "metric_list.metric", self.known.metrics, hint)
            if "aggregation" in metric:
                self._word(metric["aggregation"].value, "metric_list.aggregation", self.known.aggregations)

    def _filters(self, found: Fields) -> None:
        """Note unknown filters; programs may register more."""
        for part in self._mappings(found.get("filter_list"), "filter_list"):
            for step in self._mappings(part.get("filter"), "filter_list.filter"):
                if "function" in step:
                    self._word(step["function"].value, "filter_list.filter.function", self.known.filters)

    def _mappings(self, pair: Pair | None, key: str) -> Iterator[Fields]:
        """Yield the mappings of a list."""
        for node in _several(pair):
            if is_mapping(node):
                yield {own.word: own for own in pairs(node)}
            elif not node.tag.endswith(":null"):
                self.problems.reject(node, key, "expected a list of mappings")

    def _word(self, node: yaml.Node, key: str, options: Iterable[str], hint: str = "") -> None:
        """Note a name that is none of the options."""
        if node.value not in options:
            near = nearest(str(node.value), options)
            self.problems.reject(node, key, f"expected one of {listing(sorted(options))}{hint}{near}")


def _missing_files(found: Fields) -> Iterator[Problem]:
    """Yield the data files of this machine that are not there."""
    kind, settings = found.get("dataset_path"), found.get("dataset_kwargs")
    if kind is None or kind.value.value not in LOCAL_FORMATS or settings is None or not is_mapping(settings.value):
        return
    options = {pair.word: pair for pair in pairs(settings.value)}
    if "data_dir" in options or "data_files" not in options:
        return
    for node in _scalars(options["data_files"].value):
        path = Path(str(node.value))
        if "://" not in node.value and not PATTERN & {*node.value} and not path.is_file():
            message = f"there is no file {path.absolute()}{_nearest_file(path)}"
            yield Problem(place(node), "dataset_kwargs.data_files", str(node.value), message)


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Yield the single values in a node."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value)


def _nearest_file(path: Path) -> str:
    folder = path.parent
    return nearest(path.name, (other.name for other in folder.iterdir()) if folder.is_dir() else ())
