"""The command line of a node: mistakes are told before anything is loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.node import main

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--superlink", "localhost:x"], "--superlink localhost:x\n    expected HOST:PORT"),
        (["--superlink", "foo"], "expected HOST:PORT"),
        (["--superlink", "http://localhost:9"], "expected HOST:PORT"),
        (["--superlink", "localhost:99999"], "expected HOST:PORT"),
        (["--client", "3"], "--client 3\n    expected 0 to 2 (federate.client_num)"),
        (["--poll", "0"], "--poll 0.0\n    expected a number of seconds > 0"),
        (["--key", "nowhere"], "give --root-certificates too"),
        (["--root-certificates", "nowhere"], "--root-certificates nowhere\n    no such file"),
        (["zo.muu", "1"], "zo.muu"),
    ],
)
def test_a_mistake_is_one_message(
    tiny_yaml: Write, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["--cfg", str(tiny_yaml()), "--superlink", "localhost:9", "--client", "0"]
    assert main([*usual, *words]) == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
