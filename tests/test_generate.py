"""Talking to the model of a run, through the command line's entry point."""

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fedmezo import config
from fedmezo.commands.load_run import Rebuilt, RoundSelector, rebuild
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import compared, printable
from fedmezo.generate import main
from fedmezo.main import main as train
from fedmezo.models.generation import Sampling
from tests.conftest import write_tiny
from tests.models.tiny import SMALL

Write = Callable[..., Path]
FAST = ("train.optimizer.lr", "0.5", "data.num_examples", "30", "eval.freq", "1")


def trained(path: Path, *overrides: str) -> RunFolder:
    """Return a run of four rounds whose answers differ from the base model's."""
    assert train(["--cfg", str(path), "expname", "run", "--quiet", *FAST, *overrides]) == 0
    return RunFolder(path.parent / "runs" / "run")


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return such a run of the tiny configuration."""
    return trained(write_tiny(tmp_path_factory.mktemp("fast")))


def rebuilt(folder: RunFolder, wanted: RoundSelector) -> Rebuilt:
    return rebuild(config.load(folder.config), folder, wanted)


def say(model: Rebuilt, *, tuned: bool) -> str:
    return model.answer("How many?", Sampling(12), lambda: False, tuned=tuned)


@pytest.mark.parametrize("method", [*SMALL, "all"])
def test_the_last_and_the_best_round_are_what_the_run_saved(tiny_yaml: Write, method: str) -> None:
    args = [{"adapter_method": method, **SMALL.get(method, {})}] if method != "all" else [{"adapter_method": "lora"}]
    folder = trained(tiny_yaml(llm={"tok_len": 420, "adapter": {"use": method != "all", "args": args}}))
    (folder.path / "partition.json").unlink()  # nothing of the data is needed
    final = rebuilt(folder, "final")
    saved = rebuilt(folder, 4)
    assert final.rounds_done == 4 and torch.equal(final.point, saved.point)
    assert not torch.equal(final.point, final.trainable.start)
    assert torch.equal(rebuilt(folder, 0).point, final.trainable.start)
    best = rebuilt(folder, "best")
    assert torch.equal(best.point, rebuilt(folder, best.rounds_done).point)
    resident = final.trainable.parameters.buffer.clone()
    assert say(final, tuned=True) != say(final, tuned=False)
    assert torch.equal(final.trainable.parameters.buffer, resident)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--round", "5"], 2, "expected 0 to 4, best or final; the nearest is 4"),
        (["--round", "2.5"], 2, "expected a number of rounds, best or final"),
        (["--max-tokens", "0"], 2, "above 0"),
        (["--temperature", "nan"], 2, "0 or more"),
        (["--prompt", "x " * 2000], 2, "no answer"),
    ],
)
def test_mistakes_are_told(
    fast: RunFolder, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found: object = main([str(fast.path), "--prompt", "Why?", *arguments])
    except SystemExit as ending:  # argparse's own way
        found = ending.code
    error = capsys.readouterr().err
    assert found == code and words in error and "Traceback" not in error


def test_a_backpropagation_run_keeps_some_rounds_and_says_which(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tiny_yaml(), "trainer.type", "llmtrainer")
    assert main([str(folder.path), "--round", "1", "--prompt", "Why?"]) == 2
    assert "expected one of 0, 3, 4 (only their weights are kept), best or final" in capsys.readouterr().err
    assert not torch.equal(rebuilt(folder, 3).point, rebuilt(folder, 4).point)


def test_what_is_no_run_is_not_talked_to(tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert "there is no run in this folder" in capsys.readouterr().err
    folder = trained(tiny_yaml())
    with folder.locked():
        assert main([str(folder.path), "--prompt", "Why?"]) == 3
    assert "another process is at work" in capsys.readouterr().err
    folder.config.write_text(folder.config.read_text().replace("seed: 0", "seed: 1"), encoding="utf-8")
    assert main([str(folder.path), "--prompt", "Why?"]) == 2
    assert "seed: it was 0, now it is 1" in capsys.readouterr().err
    folder.ledger.unlink()
    assert main([str(folder.path), "--prompt", "Why?"]) == 3
    assert "no round of this run is finished" in capsys.readouterr().err and not folder.ledger.exists()


def ask(folder: RunFolder, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main([str(folder.path), "--max-tokens", "8", *arguments]) == 0
    return capsys.readouterr().out


def test_one_question_the_same_from_stdin_and_in_a_conversation(
    fast: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ask(fast, capsys, "--prompt", "Why?")
    assert re.fullmatch(r"base:\n.+\n\nafter 4 rounds:\n.+\n\n", one, flags=re.DOTALL)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Why?"))
    assert ask(fast, capsys, "--prompt", "-") == one
    monkeypatch.setattr(sys, "stdin", io.StringIO("Why?\n\nWhy?\n"))
    assert ask(fast, capsys) == one + one + "\n"
    drawn = [ask(fast, capsys, "--prompt", "Why?", "--temperature", "1") for _ in range(2)]
    assert drawn[0] == drawn[1] != one


@pytest.mark.parametrize("words", [[], ["--prompt", "-"]])
def test_nothing_can_be_asked_where_stdin_is_closed(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["runs/any", *words]) == 2
    assert "stdin is closed" in capsys.readouterr().err


def test_ctrl_c_stops_an_answer_in_a_conversation_and_leaves_otherwise(
    fast: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Rebuilt.answer

    def interrupted(self: Rebuilt, question: str, sampling: Sampling, stop: Callable[[], bool], *, tuned: bool) -> str:
        def stopping() -> bool:
            if not tuned and question == "Why?":
                os.kill(os.getpid(), signal.SIGINT)
            return stop()

        return answer(self, question, sampling, stopping, tuned=tuned)

    monkeypatch.setattr(Rebuilt, "answer", interrupted)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Why?\nHow?\n"))
    stopped, whole = re.findall(r"base:\n(.*?)\n\nafter 4 rounds:", ask(fast, capsys), flags=re.DOTALL)
    assert len(stopped) < len(whole)
    assert main([str(fast.path), "--max-tokens", "8", "--prompt", "Why?"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_answers_are_compared_side_by_side_where_there_is_room() -> None:
    texts = ("one two three " * 9, "short\n\nlast")
    for width in (80, 81, 120):
        lines = compared(("base", "tuned"), texts, width).splitlines()
        assert max(map(len, lines)) <= width
        assert [line.split("|")[0].strip() for line in lines[:2]] == ["base", "-" * ((width - 3) // 2)]
        assert {line.index("|") for line in lines} == {(width - 3) // 2 + 1}
        left, right = zip(*(line.split("|") for line in lines[2:]), strict=True)
        assert " ".join(left).split() == texts[0].split() and "".join(right).split() == texts[1].split()
        assert [part.strip() for part in right[:3]] == ["short", "", "last"]
    for narrow in (79, None):
        assert compared(("base", "tuned"), texts, narrow) == f"base:\n{texts[0]}\n\ntuned:\n{texts[1]}\n"


def test_no_answer_reaches_for_the_terminal() -> None:
    assert printable("a\x1b[31mb\r\n\tc\x07é漢") == "a�[31mb�\n�c�é漢"
