"""Generated configurations: for every key, values that it takes, as they stand in YAML."""

from typing import Any

from hypothesis import strategies as st

from fedmezo.config.names import registered
from fedmezo.config.peft_arguments import FOLDER, METHOD, AdapterArguments, MethodName, Modules, OnlyTrue, arguments_of
from fedmezo.config.schema import DEFAULTS, KEYS
from fedmezo.config.types import (
    Anything,
    Arguments,
    Boolean,
    Choice,
    Day,
    ExistingFile,
    FieldType,
    Integer,
    ListOf,
    ModelName,
    Nullable,
    Number,
    OrWord,
    PythonFile,
    Registered,
    RegisteredOrFile,
    RunOrLedger,
    Synonyms,
    Text,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["1e-2", "(a, b)", "null", "~", "1_0", "<<"]
)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def values(kind: FieldType) -> st.SearchStrategy[Any]:
    """Return values of a kind."""
    match kind:
        case Boolean():
            return st.booleans()
        case Text():
            return TEXT
        case Day():
            return st.dates().map(str) | st.just("")
        case Choice(options):
            return st.sampled_from(options)
        case Registered():
            return st.deferred(lambda: st.sampled_from(kind.names()))
        case RegisteredOrFile(folder):
            return st.deferred(lambda: st.sampled_from(registered(folder)))
        case ModelName():
            return st.sampled_from(["a@random_llm", "b/c@huggingface_llm"])
        case Integer():
            return st.integers(int(kind.low or 0), 2**63 - 1)
        case Number():
            top = kind.high if kind.high is not None else kind.below
            return st.floats(
                min_value=kind.low if kind.low is not None else kind.above,
                max_value=1e300 if top is None else top,
                exclude_min=kind.above is not None,
                exclude_max=kind.below is not None,
            )
        case Nullable(inner):
            return st.none() | values(inner)
        case OrWord(inner, word):
            return st.just(word) | values(inner)
        case Synonyms(inner):
            return values(inner)
        case ListOf(PythonFile()) | ListOf(ExistingFile()):
            return st.just([])  # there are no files
        case RunOrLedger() | ExistingFile():
            return st.just("")
        case ListOf(item):
            return st.lists(values(item), min_size=kind.least, max_size=kind.most or 3)
        case Arguments():
            known = {name: values(each) for name, each in kind.known.items()}
            return st.fixed_dictionaries({}, optional=known | ({"free": FREE} if kind.open else {}))
        case AdapterArguments():
            return st.sampled_from(registered(FOLDER)).flatmap(
                lambda name: values(arguments_of(name)).map(lambda own: own | {METHOD: name})
            )
        case Anything():
            return FREE
        case MethodName():
            return st.just("lora")
        case Modules():
            return TEXT | st.lists(TEXT, max_size=2)
        case OnlyTrue():
            return st.just(True)
    raise TypeError(kind)


def settings() -> st.SearchStrategy[dict[str, Any]]:
    """Return values of some keys, each fine alone."""
    keys = {name: values(KEYS[name].kind) for name in DEFAULTS}
    return st.lists(st.sampled_from(sorted(keys)), max_size=8, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keys[name] for name in names})
    )


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return dotted keys as nested mappings."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *groups, leaf = name.split(".")
        node = root
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    return root
