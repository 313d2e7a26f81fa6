"""Print ``docs/commands.md`` from the parsers of the programs.

python scripts/commands_docs.py > docs/commands.md
"""

import argparse
import re
from collections.abc import Iterator
from importlib import import_module

from fedmezo.__main__ import PROGRAMS

INTRODUCTION = """\
# Commands

<!-- Made by: python scripts/commands_docs.py > docs/commands.md -->

`fedmezo COMMAND ...` is one front door to all programs; `python -m fedmezo COMMAND ...` is the same where the command
is not on the path. CONFIGURATION is a YAML file, or the name of a shipped one (`fedmezo config list`); `key value`
pairs change any [key](configuration.md) of it. `fedmezo COMMAND --help` says what is below, and the [start
page](index.md) lists the exit codes.

Completion in a shell, of commands, options, shipped configurations, keys and their values:

<!-- not run by a test: it changes the shell; tests/commands/test_completion.py asks as a shell does -->
```sh
eval "$(fedmezo config completion bash)"        # or zsh; in ~/.bashrc, ~/.zshrc
fedmezo config completion fish | source         # in ~/.config/fish/config.fish
```

The programs behind it can be called as before, with the same options: `python -m fedmezo.main --cfg FILE` (with
`--check`, `--suggest`, or `--resume RUN` instead of `--cfg`), `python -m fedmezo.replay`, `generate`, `evaluate`,
`report` and `node`, `scripts/paper.py`, `scripts/sweep.py` and `scripts/theory.py`.
"""


def document() -> Iterator[str]:
    """Yield the lines of the document."""
    yield INTRODUCTION
    for name, module in PROGRAMS.items():
        parser: argparse.ArgumentParser = import_module(module).parser(f"fedmezo {name}")
        yield f"## {name}\n"
        yield from (f"{description(parser)}\n", "| | |", "|---|---|")
        for action in parser._actions:
            yield from rows(action)
        if parser.epilog:
            yield f"\n{code_after_colon(parser.epilog)}"
        yield ""


def description(parser: argparse.ArgumentParser) -> str:
    """Return what a program says of itself, as Markdown, without its line of usage."""
    paragraphs = (parser.description or "").replace("``", "`").strip().split("\n\n")
    return "\n\n".join(text for text in paragraphs if not text.startswith("fedmezo "))


def rows(action: argparse.Action) -> Iterator[str]:
    """Yield the rows of an argument, or of each of several subcommands."""
    if isinstance(action, argparse._SubParsersAction):
        for listed in action._choices_actions:
            own = (each for each in action.choices[listed.dest]._actions if each.dest != "help")
            words = [listed.dest, *(f"[{shown(each)}]" if each.option_strings else shown(each) for each in own)]
            yield f"| `{' '.join(words)}` | {escaped(listed.help)} |"
    elif action.dest != "help":
        yield f"| `{shown(action)}` | {escaped(action.help)} |"


def shown(action: argparse.Action) -> str:
    """Return an argument as it is typed."""
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
    value = "" if action.nargs == 0 else str(action.metavar or choices)
    value = {"*": f"[{value} ...]", "+": f"{value} ...", "?": f"[{value}]"}.get(str(action.nargs), value)
    return " ".join(filter(None, [", ".join(action.option_strings), value]))


def escaped(text: str | None) -> str:
    """Return a help text as the text of a cell."""
    return re.sub(r"[|<*\[\]]", r"\\\g<0>", text or "")


def code_after_colon(text: str) -> str:
    """Return ``example: COMMAND`` with the command as code."""
    title, _, command = text.partition(": ")
    return f"{title.capitalize()}: `{command}`"


if __name__ == "__main__":
    print("\n".join(document()), end="")
