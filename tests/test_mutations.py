"""Mutated configurations: each one runs, or is refused in the format of a message; none ends in a traceback.

A bounded number here; ``make fuzz`` tries 2,000.
"""

import contextlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from fedmezo.config import load
from fedmezo.config.help import shown
from fedmezo.config.names import registered
from fedmezo.config.schema import KEYS
from fedmezo.config.tree import plain
from fedmezo.config.types import (
    Boolean,
    Choice,
    FieldType,
    Integer,
    ListOf,
    Nullable,
    Number,
    Registered,
    RegisteredOrFile,
    Synonyms,
)
from fedmezo.main import main
from tests.conftest import REPOSITORY
from tests.example_counts import examples
from tests.paper import write_data

EXAMPLES = int(os.environ.get("FEDMEZO_MUTATIONS", "0"))
SHIPPED = sorted(path.stem for path in (REPOSITORY / "configs").glob("*.yaml"))
TINY: dict[str, Any] = {
    "model.type": "tiny-llama@random_llm",
    "federate.total_round_num": 1,
    "train.local_update_steps": 1,
    "data.num_examples": 40,
    "eval.max_examples": 2,
    "engine.threads": 1,
    "llm.tok_len": 200,
}
# what would make a run long, or put files elsewhere, has values of its own
BOUNDED: dict[str, tuple[Any, ...]] = {
    "federate.total_round_num": (1, 2, 0, -1, "1", 1.5),
    "train.local_update_steps": (1, 2, 0, "x", None),
    "train.batch_or_epoch": ("batch", "Epoch", "epochs", 1),
    "federate.client_num": (1, 2, 5, 41, 10**9, -3, True),
    "data.num_examples": (1, 2, 3, 50, 0, -1, "40"),
    "zo.queries": (1, 2, 0, 1.0),
    "outdir": ("runs", "a/b/ü", "", "\0", 3, "runs/\n"),
    "expname": ("", "mutant", "ü 1", "..", "a/../b", "/", "x" * 300, "\0", 5),
    "federate.save_to": ("", "saved", "data/FOLDER/alpaca_data.json", "\0", "saved/ü", 1),
    "federate.restore_from": ("", "nowhere", ".", "\0", "runs"),
    "llm.cache.model": ("", "cache", "data/FOLDER/alpaca_data.json", "\0"),
    "wandb.use": (False, "no", 0, None),
    "engine.threads": (1, 0, -1, "two"),
}
NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 7, 2**31, 2**63, 10**30, 0.5, 1.0, -0.5, 1e-30, 1e30, 1e308, float("nan"), float("inf")]
)
WORDS = st.sampled_from(
    ["", "~", "nan", "1e-5", "-1e-5", "true", "ü", "\U0001f600", "a b", "../x", "/", ".", "*", "[", "%d", "\0", "\n"]
)
NAMES = st.deferred(
    lambda: st.sampled_from(
        [
            name
            for folder in (
                "training",
                "federation/strategies",
                "data/splitters",
                "data/sources",
                "criteria",
                "text_metrics",
                "federation/engines",
            )
            for name in registered(folder)
        ]
    )
)
LEAVES = NUMBERS | WORDS | NAMES | st.none() | st.booleans()
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | NAMES, inner, max_size=2), max_leaves=4
)
ARGUMENTS = st.sampled_from(
    [
        *("r", "lora_alpha", "lora_dropout", "target_modules", "adapter_method", "bias", "use_dora", "use_rslora"),
        *("alpha", "num_virtual_tokens", "modules_to_save", "layers_to_transform", "rank_pattern", "task_type"),
    ]
)
MODULES = st.sampled_from(["q_proj", ["q_proj", "v_proj"], "all-linear", ".*", "(", "embed_tokens", "lm_head", []])
METHODS = st.sampled_from(["lora", "prefix", "prompt", "p-tuning", "ia3", "adalora", "LoRA"])


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand in a folder with small data of every kind."""
    folder = tmp_path_factory.mktemp("mutants")
    write_data(folder / "FOLDER")
    with contextlib.chdir(folder):
        yield folder


def values(key: str) -> st.SearchStrategy[Any]:
    """Return values for a key: of its kind, or anything."""
    if key in BOUNDED:
        return st.sampled_from(BOUNDED[key]) | JUNK.filter(lambda value: not isinstance(value, int | float | str))
    if key == "model.type":
        return st.sampled_from(["tiny-llama@random_llm", "tiny-lama@random_llm", "x@huggingface_llm", "@", "a@b@c", 3])
    if key == "llm.adapter.args":
        mapping = st.dictionaries(ARGUMENTS | WORDS, JUNK | MODULES | METHODS, max_size=3)
        return st.lists(mapping, max_size=2) | mapping | JUNK
    if key == "data.splits":
        return st.lists(NUMBERS, max_size=4) | st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=3, max_size=3)
    return fitting(KEYS[key].kind) | JUNK if key in KEYS else JUNK


def fitting(kind: FieldType) -> st.SearchStrategy[Any]:
    """Return values of a kind."""
    match kind:
        case Choice(options):
            return st.sampled_from(options)
        case Registered(folder) | RegisteredOrFile(folder):
            return st.deferred(lambda: st.sampled_from(registered(folder)))
        case Boolean():
            return st.booleans()
        case Integer():
            return st.integers(int(kind.low or 0), 9)
        case Number():
            return st.sampled_from([1e-8, 1e-3, 0.01, 0.5, 1.0, 3.0, 1e4])
        case Synonyms(inner) | Nullable(inner):
            return fitting(inner)
        case ListOf(item):
            return st.lists(fitting(item), max_size=2)
    return WORDS


@st.composite
def misspelt(draw: st.DrawFn, keys: list[str]) -> str:
    """Return a key with a letter too many, too few, or in another place; or one in another group."""
    key = draw(st.sampled_from(keys))
    place = draw(st.integers(0, len(key) - 1))
    other = draw(st.sampled_from(["", "x", ".", "ü", " ", key[place].upper()]))
    return key[:place] + other + key[place + draw(st.integers(0, 1)) :]


@st.composite
def mutants(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Return the text of a configuration, and overrides."""
    flat = shipped(draw(st.sampled_from(SHIPPED))) | TINY | {"data.root": "FOLDER", "use_gpu": False}
    keys = sorted(KEYS)
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(keys) | st.sampled_from(keys) | st.sampled_from(keys) | misspelt(keys))
        flat[key] = draw(values(key))
    on_the_line = [key for key in flat if draw(st.integers(0, 9)) == 0]
    words = [word for key in on_the_line for word in (key, shown(flat.pop(key)))]
    return yaml.safe_dump(_nested(flat), allow_unicode=True, sort_keys=False), words


@cache
def shipped(name: str) -> dict[str, Any]:
    """Return the values of a shipped configuration by dotted key."""
    return dict(_leaves(plain(load(REPOSITORY / "configs" / f"{name}.yaml"))))


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for key, value in flat.items():
        *groups, leaf = key.split(".")
        node = root
        for group in groups:
            if not isinstance(node.setdefault(group, {}), dict):
                node[group] = {}
            node = node[group]
        node[leaf] = value
    return root


@settings(
    max_examples=EXAMPLES or examples(120),
    derandomize=not EXAMPLES,  # the same ones in every run of the tests, others in every `make fuzz`
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(mutants())
def test_a_mutant_runs_or_is_refused_with_a_message(mutant: tuple[str, list[str]]) -> None:
    text, words = mutant
    note(text)
    note(str(words))
    with tempfile.TemporaryDirectory(dir=".") as folder, contextlib.redirect_stderr(io.StringIO()) as said:
        path = Path(folder) / "mutant.yaml"
        path.write_text(text, encoding="utf-8")
        code = outcome(["--cfg", str(path), *words])
    message = said.getvalue()
    note(message)
    event(f"exit {code}")
    assert "Traceback" not in message
    assert code in (0, 2, 3, 4), code  # 4: it ran, and diverged
    if code:
        assert any(line.startswith("fedmezo: ") for line in message.splitlines())


def outcome(words: list[str]) -> int | str:
    """Return the exit code, or the traceback of what nobody caught."""
    try:
        return main(words)
    except SystemExit as error:  # of argparse
        print(f"fedmezo: usage, {error.code}", file=sys.stderr)
        return int(error.code or 0)
    except Exception:  # noqa: BLE001
        return traceback.format_exc()
