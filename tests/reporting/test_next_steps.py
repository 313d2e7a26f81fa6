import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.__main__ import main as front_door
from fedmezo.main import main
from fedmezo.reporting.next_steps import next_steps


@pytest.mark.parametrize(
    ("outcome", "offered"),
    [
        ("completed", ["run", "picture", "report", "try it", "more rounds"]),
        ("stopped early", ["run", "picture", "report", "try it"]),
        ("interrupted", ["run", "picture"]),
        ("failed", ["run", "picture"]),
    ],
)
def test_what_is_offered_depends_on_how_the_run_ended(outcome: str, offered: list[str]) -> None:
    assert [name for name, _ in next_steps(Path("runs/mine"), outcome, 3)] == offered


def test_the_commands_can_be_pasted_whatever_the_runs_name(
    tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml()
    name = "it's $HOME; a run"
    assert main(["--cfg", str(path), "expname", name, "federate.total_round_num", "1"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    commands = {f"{first} {second}": rest for first, second, rest in filter(lambda line: len(line) == 3, lines)}
    tried, more = (shlex.split(commands[key])[1:] for key in ("try it", "more rounds"))
    assert front_door(more) == 0
    assert "2 (completed)" in capsys.readouterr().out
    assert front_door([*tried, "--prompt", "Why?", "--max-tokens", "2"]) == 0
    assert "after 2 rounds" in capsys.readouterr().out
