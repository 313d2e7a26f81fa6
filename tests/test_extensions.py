"""Strategies, trainers, splitters, datasets and criteria from outside the package, and the tutorial on them."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.__main__ import main as fedmezo
from fedmezo.federation import strategies
from fedmezo.main import main
from tests.conftest import REPOSITORY

Write = Callable[..., Path]
TUTORIAL = (REPOSITORY / "docs" / "guides" / "a-strategy-of-your-own.md").read_text(encoding="utf-8")
SMALL = [
    "model.type", "tiny-llama@random_llm", "federate.total_round_num", "2", "train.local_update_steps", "1",
    "data.num_examples", "40", "eval.max_examples", "4", "engine.threads", "1",
]  # fmt: skip
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")
STRATEGY = """
import fedmezo.federation.strategies as strategies
@strategies.register("mine")
class Mine:
    needs_update_distance = False
    def rates(self, history, clients, base, half_width):
        return {0}
"""
SPLITTER = """
import numpy as np
from fedmezo.data.splitters import register
@register("mine")
class Mine:
    def __call__(self, labels, num_examples, num_clients, generator):
        return {0}
"""
DATASET = """
from fedmezo.data.examples import Dataset, Example
from fedmezo.data import sources
@sources.register("mine@llm")
class Mine:
    def load(self, request):
        return {0}
"""
TRAINER = """
import numpy as np
from fedmezo.training import LocalUpdate, register
@register("mine")
class Mine:
    sends = "scalars"
    @classmethod
    def create(cls, resources): return cls()
    def train(self, start, work):
        return {0}
"""
USES = {
    STRATEGY: ("train.train_strategy", "mine"),
    SPLITTER: ("data.splitter", "mine"),
    DATASET: ("data.type", "mine@llm"),
    TRAINER: ("trainer.type", "mine"),
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL, flags=re.DOTALL)


def test_the_tutorial_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files are written as they stand, its commands run in their order, its message is the one that comes."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    for block in (*blocks("python"), *blocks("yaml")):
        Path(block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    (strategy, *_) = blocks("python")
    assert len(strategy.splitlines()) <= 15
    commands = [line for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines()]
    refused = [line for line in commands if "coolin" in line.split()]
    assert len(commands) == 5 and len(refused) == 1
    for line in commands:
        words = shlex.split(line)[3:]
        capsys.readouterr()
        assert main([*words, *SMALL]) == (2 if line in refused else 0), line
        if line in refused:
            assert capsys.readouterr().err == blocks("text")[0]
    rates = [[c["learning_rate"] for c in row["clients"]] for row in _metrics(tmp_path / "runs" / "mine")]
    assert rates == [pytest.approx([8.0e-3] * 3), pytest.approx([6.0e-3] * 3)]
    partition = json.loads((tmp_path / "runs" / "mine-2" / "partition.json").read_text(encoding="utf-8"))
    assert [sum(part["examples"] for part in client.values()) for client in partition["clients"]] == [23, 11, 6]
    assert partition["clients"][0]["train"]["categories"].keys() == {"F", "J", "K"}


def test_the_strategy_of_the_readme_is_the_tutorials_and_sets_the_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(r"## Extending it\n.*?```python\n(.*?)```.*?```bash\n(.*?)\n```", text, re.DOTALL)
    assert found is not None and found[1] == blocks("python")[0]
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "mine.py").write_text(found[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert fedmezo([*shlex.split(found[2])[1:], *SMALL, "expname", "own"]) == 0
    rates = [[c["learning_rate"] for c in row["clients"]] for row in _metrics(tmp_path / "runs" / "own")]
    assert rates == [pytest.approx([8.0e-3] * 3), pytest.approx([6.0e-3] * 3)]


def _metrics(run: Path) -> list[dict[str, list[dict[str, float]]]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


BROKEN = [
    (STRATEGY, "{c: base for c in clients if c}", 2, 6, "expected a dict with a finite learning rate >= 0 for each"),
    (STRATEGY, "{c: float('nan') for c in clients}", 2, 6, "rates returned {0: nan, 1: nan, 2: nan}"),
    (STRATEGY, "{c: -base for c in clients}", 2, 6, ">= 0"),
    (STRATEGY, "None", 2, 6, "rates returned None"),
    (STRATEGY, "history.nothing", 2, 7, "AttributeError: 'History' object has no attribute 'nothing'"),
    (STRATEGY, "open('/nowhere/at/all')", 2, 7, "FileNotFoundError"),
    (SPLITTER, "[np.arange(num_examples)] * num_clients", 2, 6, "example 0 is given 3 times"),
    (SPLITTER, "np.array_split(np.arange(num_examples - 1), num_clients)", 2, 6, "is given to no client"),
    (SPLITTER, "np.array_split(np.arange(1, num_examples + 1), num_clients)", 2, 6, "counted from 0"),
    (SPLITTER, "np.array_split(np.arange(num_examples) * 1.0, num_clients)", 2, 6, "client 0 has [0.0,"),
    (SPLITTER, "[range(num_examples)]", 2, 6, "it is no list of 3 arrays"),
    (SPLITTER, "None", 2, 6, "it is no list of 3 arrays"),
    (SPLITTER, "labels + 1", 2, 7, "TypeError"),
    (DATASET, "[]", 2, 6, "load returned list, expected a Dataset"),
    (DATASET, "Dataset('x', (1,), 0, '')", 2, 6, "examples[0] = 1, expected an Example"),
    (DATASET, "Dataset('x', (Example('', None, '', None),), 0, '')", 2, 6, "expected an Example of texts"),
    (DATASET, "Dataset('x', (), 0, '')", 2, 6, "load returned no examples"),
    (DATASET, "Dataset('x', (Example('a', '', 'b', None),), 2, '')", 2, 6, "num_own_test = 2, of 1 examples"),
    (DATASET, "request.size", 2, 7, "AttributeError"),
    (TRAINER, "None", 5, 9, "train returned NoneType, expected LocalUpdate"),
    (TRAINER, "LocalUpdate(1.0, 4, 0, np.zeros((9, 1)))", 5, 9, "no array of gradients of shape [1 to 2, 1]"),
    (TRAINER, "LocalUpdate(1.0, 4, 0, np.full((2, 1), np.nan))", 5, 9, "gradients that are not finite"),
    (TRAINER, "LocalUpdate(1.0, 4, 0, point=start)", 5, 9, "or a point beside it"),
    (TRAINER, "LocalUpdate(1.0, -4, 0, np.zeros((2, 1)))", 5, 9, "examples = -4"),
    (TRAINER, "1 / 0", 5, 10, "round 0, client 0: ZeroDivisionError: division by zero"),
    (TRAINER.replace("resources)", "resources, pace)"), "None", 2, None, "it needs pace: set trainer.pace"),
    (TRAINER.replace("return cls()", "1 / 0"), "None", 2, 8, "ZeroDivisionError"),
    (TRAINER.replace("    sends =", "    send ="), "None", 2, 4, "trainer 'mine' has no sends"),
    (STRATEGY.replace("rates", "rate"), "None", 2, 3, "learning-rate strategy 'mine' has no rates"),
    (STRATEGY + "    def __init__(self, pace): ...", "None", 2, 8, "missing 1 required positional argument: 'pace'"),
    (STRATEGY + "    def __init__(self): 1 / 0", "None", 2, 8, "ZeroDivisionError"),
    (STRATEGY + "1 / 0", "None", 2, 8, "ZeroDivisionError"),
    (STRATEGY + "import nothing_of_that_name", "None", 2, 8, "ModuleNotFoundError"),
    ("if 0:\n" + STRATEGY.replace("\n", "\n "), "None", 2, 4, "importing the file does not register mine"),
]


@pytest.mark.parametrize(("template", "answer", "code", "line", "words"), BROKEN)
def test_what_goes_wrong_in_a_users_file_is_told_with_its_line(
    tiny_yaml: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    template: str,
    answer: str,
    code: int,
    line: int | None,
    words: str,
) -> None:
    path = tmp_path / "own.py"
    path.write_text(template.replace("{0}", answer), encoding="utf-8")
    use = next(words for kind, words in USES.items() if kind.strip().splitlines()[1] in template)
    assert main(["--cfg", str(tiny_yaml(extensions=["own.py"])), *use]) == code
    message = capsys.readouterr().err.rpartition("fedmezo: ")[2]
    assert words in message
    assert line is None or f"{path}:{line}" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:", "own.py:1: invalid syntax"),
        ("x = 1\n" + "(" * 300, "own.py:2: too many nested parentheses"),
        ("\0", "null bytes"),
        (STRATEGY.replace('"mine"', '"frozen"'), "own.py:3: frozen is one of the package's own names; choose another"),
        (STRATEGY + STRATEGY, "own.py:10: mine is registered twice; the first is at"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_the_check(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, words: str
) -> None:
    (tmp_path / "own.py").write_text(source, encoding="utf-8")
    assert main(["--cfg", str(tiny_yaml(extensions=["own.py"]))]) == 2
    message = capsys.readouterr().err
    assert message.startswith("fedmezo: 1 mistake in the configuration\n")
    assert "tiny.yaml:" in message and words in message


def test_a_file_that_is_missing_names_its_neighbour_and_blames_no_name(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text("", encoding="utf-8")
    assert main(["--cfg", str(tiny_yaml(extensions=["owm.py"])), "train.train_strategy", "mine"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("fedmezo: 1 mistake in the configuration\n")
    assert f"{tmp_path / 'owm.py'}: no such file; the nearest is own.py" in message


def test_nothing_of_a_file_runs_before_the_check_is_over(tiny_yaml: Write, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('run')" + STRATEGY, encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from fedmezo import config\n"
        "cfg = config.load(Path(sys.argv[1]), ['train.train_strategy', 'mine', 'train.optimizer.lr', '1e-2'])\n"
        "print(cfg.train.train_strategy, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tiny_yaml(extensions="own.py"))]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "mine False\n"


def test_a_run_goes_on_while_the_file_says_the_same(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "own.py", tmp_path / "runs" / "one"
    path.write_text(STRATEGY.replace("{0}", "dict.fromkeys(clients, base / 2)"), encoding="utf-8")
    words = ("train.train_strategy", "mine", "federate.total_round_num", "1", "expname", "one")
    assert main(["--cfg", str(tiny_yaml(extensions=["own.py"])), *words]) == 0
    assert config.load(run / "config.yaml").extensions == (str(path),)
    assert main(["--resume", str(run), "federate.total_round_num", "2"]) == 0
    path.write_text(path.read_text(encoding="utf-8").replace("/ 2", "/ 3"), encoding="utf-8")
    capsys.readouterr()
    assert main(["--resume", str(run), "federate.total_round_num", "3"]) in (2, 3)
    assert "configuration" in capsys.readouterr().err


def test_a_file_that_moved_is_named_again(tiny_yaml: Write, tmp_path: Path) -> None:
    path, run = tmp_path / "own.py", tmp_path / "runs" / "one"
    path.write_text(STRATEGY.replace("{0}", "dict.fromkeys(clients, base / 2)"), encoding="utf-8")
    words = ("train.train_strategy", "mine", "federate.total_round_num", "1", "expname", "one")
    assert main(["--cfg", str(tiny_yaml(extensions=["own.py"])), *words]) == 0
    moved = path.rename(tmp_path / "moved.py")
    again = ("--resume", str(run), "federate.total_round_num", "2")
    assert main([*again]) == 2
    strategies.registry._entries.pop("mine")
    assert main([*again, "extensions", str(moved)]) == 0


@pytest.mark.parametrize(
    ("line", "decorator"),
    [("from fedmezo.strategies import register", "register"), ("import fedmezo.strategies as old", "old.register")],
)
def test_a_file_of_an_earlier_version_is_taken(tiny_yaml: Write, tmp_path: Path, line: str, decorator: str) -> None:
    """As a run that began with it goes on only while the file says the same."""
    source = STRATEGY.format("dict.fromkeys(clients, base)").replace("strategies.register", decorator)
    source = source.replace("import fedmezo.federation.strategies as strategies", line)
    (tmp_path / "old.py").write_text(source, encoding="utf-8")
    path = tiny_yaml(extensions=["old.py"], train={"train_strategy": "mine"}, federate={"total_round_num": 1})
    assert main(["--cfg", str(path), "-q"]) == 0
    assert "fedmezo.strategies" not in sys.modules
