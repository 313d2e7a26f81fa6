"""Python files of the user's own: importing them, and saying where in them something went wrong."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from fedmezo.core.errors import ConfigurationError, FedmezoError
from fedmezo.core.former_names import former_names
from fedmezo.core.out_of_memory import ran_out
from fedmezo.core.registry import declarations

PREFIX = "fedmezo_user_"
PACKAGE = "fedmezo."
Made = TypeVar("Made")


def import_file(path: Path) -> ModuleType:
    """Import a file once; further calls give the same module.

    Raises:
        ConfigurationError: it cannot be read, or fails; the message names file and line.
    """
    name = PREFIX + hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up
    try:
        with former_names(path.read_text(encoding="utf-8")):
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigurationError(f"{culprit(error, path)}\n    {type(error).__name__}: {error}") from error
    return module


def import_extensions(paths: Iterable[str]) -> None:
    """Import files, which enters what they hold into the registries.

    Raises:
        ConfigurationError: a file fails, or does not register what it declares; the message names file and line.
    """
    for path in map(Path, paths):
        import_file(path)
        for each in declarations(path):
            if each.package.startswith(PACKAGE) and each.name not in importlib.import_module(each.package).registry:
                raise ConfigurationError(f"{path}:{each.line}\n    importing the file does not register {each.name}")


@contextmanager
def named_mistakes() -> Iterator[None]:
    """Turn an error that came through a user's file into a ConfigurationError that names file and line."""
    try:
        yield
    except FedmezoError:
        raise
    except Exception as error:
        place = culprit(error)
        if not place or ran_out(error):
            raise
        raise ConfigurationError(f"{place}\n    {type(error).__name__}: {error}") from error


def instantiated(kind: Callable[..., Made], *arguments: object) -> Made:
    """Return a new object of a class, or what a function returns.

    Raises:
        ConfigurationError: it cannot be made of these arguments; the message names file and line.
    """
    try:
        return kind(*arguments)
    except TypeError as error:
        place = culprit(error) or defined_at(kind.__init__ if hasattr(kind.__init__, "__code__") else kind)
        raise ConfigurationError(f"{place}\n    {error}") from error


def culprit(error: BaseException, fallback: Path | str = "") -> str:
    """Return ``FILE:LINE`` of the deepest place in a user's file that an error came through, else the fallback."""
    if isinstance(error, SyntaxError) and error.filename == str(fallback):
        return f"{fallback}:{error.lineno}"
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith(PREFIX)
    ]
    return places[-1] if places else str(fallback)


def defined_at(thing: Callable[..., Any]) -> str:
    """Return ``FILE:LINE`` of a class, a function, a method, or the call of an object."""
    if isinstance(thing, type):
        return f"{inspect.getsourcefile(thing)}:{inspect.getsourcelines(thing)[1]}"
    code = getattr(thing, "__code__", None) or getattr(type(thing).__call__, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(thing)
