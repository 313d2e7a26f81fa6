"""Rules for the sources as a whole: imports go downwards, and nothing that is loaded can run code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fedmezo

PACKAGE = Path(fedmezo.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
CALLED = {"torch.load", "torch.jit.load", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}
IMPORTED = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "__import__"}
TRUSTING = {"trust_remote_code", "allow_pickle"}


def test_imports_go_downwards() -> None:
    """In a process of its own: import-linter reconfigures logging, which would silence ours for the tests after it."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


def is_safe(call: ast.Call) -> bool:
    """Return whether a call is ``torch.load`` of tensors and nothing else."""
    return ast.unparse(call.func) == "torch.load" and "weights_only=True" in map(ast.unparse, call.keywords)


def dangers(source: str) -> Iterator[str]:
    """Yield what of a source could unpickle, or run code that came with data."""
    tree = ast.parse(source)
    safe = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call) and is_safe(node)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in IMPORTED)
            case ast.ImportFrom(module=str(module)) if module in IMPORTED:
                yield module
            case ast.Attribute() if ast.unparse(node) in CALLED and node not in safe:
                yield ast.unparse(node)
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                yield name
            case ast.keyword(arg=str(name), value=value) if name in TRUSTING and ast.unparse(value) != "False":
                yield name
            case ast.Dict(keys=keys, values=values):
                literal = zip(map(ast.unparse, filter(None, keys)), map(ast.unparse, values), strict=False)
                yield from (key for key, value in literal if key.strip("'") in TRUSTING and value != "False")
            case ast.keyword(arg="use_safetensors", value=value) if ast.unparse(value) != "True":
                yield "use_safetensors"


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import load",
        "torch.load(path)",
        "torch.load(path, weights_only=flag)",
        "load = torch.load",
        "yaml.load(text)",
        "Model.from_pretrained(name, trust_remote_code=True)",
        "options = {'local': True, 'trust_remote_code': True}",
        "Model.from_pretrained(name, use_safetensors=False)",
        "np.load(path, allow_pickle=flag)",
        "eval(text)",
    ],
)
def test_the_search_finds_what_could_run_code(line: str) -> None:
    assert len(list(dangers(line))) == 1


def test_nothing_that_is_loaded_can_run_code() -> None:
    assert len(SOURCES) > 50
    found = {path.name: list(dangers(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {name: what for name, what in found.items() if what} == {}
