"""Completing the command line in a shell: commands, options, shipped configurations, keys and their values.

The shell runs the program anew for each completion (argcomplete); nothing heavy is imported for that.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from fedmezo.commands import shipped
from fedmezo.config.names import registered
from fedmezo.config.schema import GROUPS, KEYS
from fedmezo.config.types import Boolean, Choice, FieldType, Nullable, Registered, Synonyms

SHELLS = ("bash", "zsh", "fish")


def shell_code(shell: str) -> str:
    """Return what a shell has to read to complete ``fedmezo``."""
    from argcomplete.shell_integration import shellcode

    return shellcode(["fedmezo"], shell=shell)


def complete(parser: argparse.ArgumentParser, programs: Mapping[str, str]) -> None:
    """Answer the shell, and end the process.

    Args:
        parser: of what comes before the command.
        programs: the modules of the commands, by name; each has a function ``parser``.
    """
    import argcomplete

    argcomplete.autocomplete(with_commands(parser, programs), always_complete_options=False)


def with_commands(parser: argparse.ArgumentParser, programs: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return a parser of the whole command line, each argument with its completer."""
    commands = parser.add_subparsers()
    for name, module in programs.items():
        own: argparse.ArgumentParser = import_module(module).parser(f"fedmezo {name}")
        commands.add_parser(name, parents=[own], add_help=False)
        for action in _actions(own):
            if action.dest in COMPLETERS:
                action.completer = COMPLETERS[action.dest]  # type: ignore[attr-defined]
    return parser


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _files(kind: str, prefix: str, **_: object) -> Iterable[str]:
    """Return shipped names of a kind, and YAML files."""
    from argcomplete.completers import FilesCompleter

    return [*shipped.names(kind), *FilesCompleter(("yaml", "yml"))(prefix)]


def _suites(**_: object) -> Iterable[str]:
    return [*shipped.names(shipped.SUITES), "all"]


def _shown(prefix: str, **_: object) -> Iterable[str]:
    folders = (shipped.SUITES, shipped.SWEEPS, "_base_")
    inside = [f"{folder}/{name}" for folder in folders for name in shipped.names(folder)]
    return [*_files(shipped.RUNS, prefix), *inside]


def _keys(**_: object) -> Iterable[str]:
    return [*KEYS, *GROUPS]


def _overrides(parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """Return the keys that there are, or the values of the key before."""
    given: Sequence[str] = parsed_args.overrides or ()
    if len(given) % 2 == 0:
        return KEYS
    return _values(KEYS[given[-1]].kind) if given[-1] in KEYS else ()


def _values(kind: FieldType) -> Sequence[str]:
    match kind:
        case Boolean():
            return ("True", "False")
        case Choice(options=options):
            return options
        case Registered(folder=folder):
            return registered(folder)
        case Nullable(kind=inner) | Synonyms(kind=inner):
            return _values(inner)
    return ()


COMPLETERS: Mapping[str, Any] = {  # by the name of the argument
    "configuration": partial(_files, shipped.RUNS),
    "sweep": partial(_files, shipped.SWEEPS),
    "suite": _suites,
    "name": _shown,
    "key": _keys,
    "overrides": _overrides,
}
