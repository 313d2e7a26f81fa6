"""The keys of the configuration, the configurations that are shipped, and the completion of this command in a shell."""

import argparse
from collections.abc import Sequence

from fedmezo import config
from fedmezo.commands import shipped
from fedmezo.commands.completion import SHELLS, shell_code
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.process import exit_code
from fedmezo.core.text import aligned

KINDS = {"run": shipped.RUNS, "paper": shipped.SUITES, "sweep": shipped.SWEEPS}  # by the command that takes them


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    commands.add_parser("list", help="the shipped configurations, suites and sweeps")
    show = commands.add_parser("show", help="print a configuration")
    show.add_argument("name", metavar="NAME", help="of a shipped one, as quickstart or paper/bytes; or a YAML file")
    show.add_argument("--resolved", action="store_true", help="with all it builds on, and every default")
    keys = commands.add_parser("help", help="explain all keys, a section, or one key")
    keys.add_argument("key", metavar="KEY", nargs="?", help="as zo.mu, or zo")
    completion = commands.add_parser("completion", help="print what makes a shell complete this command")
    completion.add_argument("shell", choices=SHELLS, help='as in: eval "$(fedmezo config completion bash)"')
    return parser


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options))


def execute(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    match options.what:
        case "list":
            print("\n\n".join(f"fedmezo {command} NAME\n{_listed(kind)}" for command, kind in KINDS.items()))
        case "show":
            print(_shown(options.name, resolved=options.resolved))
        case "help":
            print(config.help_config(options.key))
        case "completion":
            print(shell_code(options.shell))
    return 0


def _listed(kind: str) -> str:
    place = shipped.folder() / kind
    return aligned([(name, shipped.summary(place / f"{name}.yaml")) for name in shipped.names(kind)])


def _shown(name: str, *, resolved: bool) -> str:
    path = shipped.find(name)
    if resolved:
        return config.dump(config.load(path)).rstrip()
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}\n    cannot be read: {error}") from error
