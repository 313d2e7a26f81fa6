import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedmezo import training
from fedmezo.core.registry import Declaration, Registry, declarations, declared_names
from fedmezo.data import sources, splitters
from fedmezo.federation import engines, strategies
from fedmezo.models import hubs

PACKAGE = "things_for_this_test"
INIT = """
from fedmezo.core.registry import Registry
registry = Registry("thing", __name__)
register = registry.register
"""
GOOD = f"""
from {PACKAGE} import register as enter

@enter("double")
def double(x):
    return 2 * x

@enter("thrice")
class Thrice:
    ...
"""
RAISING = f"""
from {PACKAGE} import register
raise SystemExit("this file was run")

@register("never")
def never():
    ...
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[Callable[[int], int]]]:
    """Return the registry of a package with one good file and one that must not be run."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    for name, content in {"__init__": INIT, "good": GOOD, "raising": RAISING}.items():
        (folder / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(PACKAGE).registry
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_names_are_read_without_running_any_file(registry: Registry[Callable[[int], int]]) -> None:
    assert registry.names() == {"double": "good", "never": "raising", "thrice": "good"}
    assert f"{PACKAGE}.good" not in sys.modules


def test_a_file_is_run_when_its_name_is_used(registry: Registry[Callable[[int], int]]) -> None:
    assert registry["double"](4) == 8
    assert f"{PACKAGE}.raising" not in sys.modules
    with pytest.raises(SystemExit, match="this file was run"):
        registry["never"]


def test_a_name_that_nobody_declares_is_a_key_error(registry: Registry[Callable[[int], int]]) -> None:
    with pytest.raises(KeyError, match="quadruple"):
        registry["quadruple"]


def test_a_name_can_be_claimed_once(registry: Registry[Callable[[int], int]]) -> None:
    claimed = registry["double"]
    with pytest.raises(ValueError, match="thing 'double' is registered twice"):
        registry.register("double")(abs)
    assert registry["double"] is claimed


def test_only_plain_registrations_count(tmp_path: Path) -> None:
    head = f"from {PACKAGE} import register\n"
    (tmp_path / "a.py").write_text(f'{head}@register(NAME)\ndef f(): ...\n@note("x")\ndef g(): ...\nregister("y")(g)\n')
    (tmp_path / "b.py").write_text(f'{head}@first\n@register("b")\n@last\nclass B: ...\n')
    (tmp_path / "c.py").write_text('from elsewhere import register\n@register("c")\nclass C: ...\n')
    (tmp_path / "notes.txt").write_text(f'{head}@register("d")\nclass D: ...\n')
    assert declared_names(tmp_path, PACKAGE) == {"b": "b"}


@pytest.mark.parametrize(
    ("line", "decorator"),
    [
        ("from a.b import register", "register"),
        ("from a.b import register as enter", "enter"),
        ("from a import b", "b.register"),
        ("from a import b as c", "c.register"),
        ("import a.b", "a.b.register"),
        ("import a.b as c", "c.register"),
    ],
)
def test_a_registration_is_found_however_register_was_imported(tmp_path: Path, line: str, decorator: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f'{line}\n\n\n@{decorator}("name")\nclass Mine: ...\n')
    assert list(declarations(path)) == [Declaration("a.b", "name", 4)]


def test_an_entry_without_what_its_kind_needs_is_refused() -> None:
    needy: Registry[type] = Registry("thing", PACKAGE, needs=("rates",))
    with pytest.raises(TypeError, match="thing 'int' has no rates"):
        needy.register("int")(int)


@pytest.mark.parametrize(
    "kind",
    [engines.registry, strategies.registry, training.registry, sources.registry, splitters.registry, hubs.registry],
)
def test_every_declared_name_of_the_package_is_there(kind: Registry[object]) -> None:
    assert kind.names()
    for name in kind.names():
        assert callable(kind[name])
