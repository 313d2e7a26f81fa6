"""The command ``fedmezo``: every program by name, a mistake in one message, nothing heavy imported for either."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.__main__ import PROGRAMS, main, parser
from fedmezo.commands import shipped
from tests.data.sources.archives import write_distribution
from tests.test_main import Run, same, train

Write = Callable[..., Path]
HEAVY = {"torch", "numpy", "transformers", "peft", "datasets", "numba", "matplotlib", "argcomplete"}
ANSWERS = """
import sys
from contextlib import suppress
from fedmezo.__main__ import PROGRAMS, main

for words in (["--help"], ["--version"], ["rum"], *([name, "--help"] for name in PROGRAMS)):
    with suppress(SystemExit):
        main(words)
main(["run", sys.argv[1], "federate.client_nun", "3", "data.type", "x"])
main(["config", "list"])
main(["config", "help"])
print(*sys.modules)
"""


def test_help_and_mistakes_import_nothing_heavy(tiny_yaml: Write) -> None:
    command = [sys.executable, "-c", ANSWERS, str(tiny_yaml())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *answers, modules = done.stdout.splitlines()
    for name in PROGRAMS:
        assert any(line.startswith(f"usage: fedmezo {name} ") for line in answers), name
    assert "fedmezo: rum\n    there is no such command; the nearest is run" in done.stderr
    assert "2 mistakes" in done.stderr and "the nearest is federate.client_num" in done.stderr
    assert set(PROGRAMS.values()) <= set(modules.split()) and not HEAVY & set(modules.split())


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("commands:") + 1 : lines.index("exit codes:")] if line]
    assert ended.value.code == 0 and listed[: len(PROGRAMS)] == list(PROGRAMS)


@pytest.mark.parametrize("words", [[], ["--bogus"], ["--"]])
def test_what_is_no_command_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and capsys.readouterr().err.startswith(parser().format_usage())


def test_a_run_is_the_runners_and_goes_on(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With the configuration's path, overrides among the options, and another number of rounds at first."""
    path, runs = tiny_yaml(), tiny_yaml().parent / "runs"
    short = ["-q", "federate.total_round_num", "2"]
    assert main(["check", str(path), "expname", "door"]) == 0 and not runs.exists()
    assert "steps: 6 in a round, 3 of 3 clients" in capsys.readouterr().out
    assert main(["run", str(path), "expname", "door", *short]) == 0
    assert main(["run", str(path), "expname", "door", *short]) == 2  # is there already
    assert main(["resume", str(runs / "door"), "federate.total_round_num", "4"]) == 0
    assert main(["replay", str(runs / "door"), "--verify"]) == 0
    assert same(Run(runs / "door"), train(path, "whole"))


def test_a_shipped_configuration_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_distribution(tmp_path)
    tiny = "model.type tiny-llama@random_llm data.root . federate.total_round_num 1 eval.max_examples 4"
    assert main(["run", "quickstart", "-q", "train.local_update_steps", "1", *tiny.split()]) == 0
    assert (tmp_path / "runs" / "quickstart" / "summary.json").exists()


def test_the_hint_is_the_same_command(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_yaml()
    assert main(["run", str(path), "model.type", "no-such/model@huggingface_llm", "seed", "1"]) == 3
    again = f"fedmezo run {path} seed 1 model.type SmolLM2-135M-Instruct@package_llm"
    assert capsys.readouterr().err.splitlines()[-1].endswith(again)


def test_configurations_are_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "list"]) == 0
    listed = capsys.readouterr().out
    for kind in (shipped.RUNS, shipped.SUITES, shipped.SWEEPS):
        for name in shipped.names(kind):
            assert f"\n  {name} " in listed
    assert main(["config", "show", "alpaca_mezo_iid", "--resolved"]) == 0
    alone = tmp_path / "alone.yaml"
    alone.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["config", "show", str(alone), "--resolved"]) == 0
    assert capsys.readouterr().out == alone.read_text()
    assert main(["config", "show", "paper/mu"]) == 0
    assert capsys.readouterr().out.rstrip() == (shipped.folder() / "paper" / "mu.yaml").read_text().rstrip()
    assert main(["config", "help", "zo.nu"]) == 2 and "the nearest is zo.mu" in capsys.readouterr().err
    assert main(["config", "show", "nowhere.yaml"]) == 2 and "nowhere.yaml" in capsys.readouterr().err
