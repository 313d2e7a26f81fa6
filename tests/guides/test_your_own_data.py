"""The guide to data is followed: its files are written as they stand, its commands run, its messages come."""

import json
import re
from pathlib import Path

import pytest

from fedmezo.main import main
from tests.guides.guide import Guide

GUIDE = Guide("your-own-data.md")
FIELD, FOLDER = re.findall(r"```text\n(.*?)```", GUIDE.text, flags=re.DOTALL)
SMALL = [
    "model.type", "tiny-llama@random_llm", "federate.total_round_num", "1", "train.local_update_steps", "1",
    "engine.threads", "1", "llm.tok_len", "420",
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with the guide's files, and with a dataset where the hub's library looks first."""
    GUIDE.begin(tmp_path, monkeypatch)
    hub = Path("openai/gsm8k/main")
    hub.mkdir(parents=True)
    rows = ({"question": f"{n} + 1?", "answer": str(n + 1)} for n in range(150))
    (hub / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (hub.parent / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files: [{split: train, path: main/train.jsonl}]\n---\n"
    )
    return tmp_path


def commands(*words: str) -> list[list[str]]:
    """Return the commands that have all of some words in them."""
    return [command for command in GUIDE.commands if all(any(word in part for part in command) for word in words)]


def held(run: str) -> list[dict[str, int]]:
    """Return, for each client of a run, how many examples of each category it trains on."""
    content = json.loads((Path("runs") / run / "partition.json").read_text(encoding="utf-8"))
    return [client["train"]["categories"] for client in content["clients"]]


def test_it_has_what_the_other_tests_look_for() -> None:
    assert set(GUIDE.files) == {"garden.jsonl", "garden.yaml", "reading.yaml"}
    assert len(GUIDE.commands) == 11 and len(GUIDE.files["garden.jsonl"].splitlines()) == 12


def test_the_file_is_checked_and_trained_on(capsys: pytest.CaptureFixture[str]) -> None:
    check, run = GUIDE.commands[:2]
    assert main([*check, *SMALL]) == 0
    assert "examples: 12" in capsys.readouterr().out and not Path("runs").exists()
    assert main([*run, *SMALL]) == 0
    (folder,) = Path("runs").iterdir()
    assert (folder / "partition.png").is_file()


def test_a_wrong_field_gets_the_message_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("anwser")
    assert main([*command, *SMALL]) == 3
    assert FIELD in capsys.readouterr().err


def test_each_splitter_divides_as_described() -> None:
    for splitter in ("iid", "meta", "lda"):
        (command,) = commands("garden.yaml", splitter)
        assert main([*command, *SMALL, "expname", splitter]) == 0
    assert [sum(client.values()) for client in held("iid")] == [3, 3, 3]
    assert sorted(name for client in held("meta") for name in client) == ["animals", "plants", "tools"]
    assert len({sum(client.values()) for client in held("lda")}) > 1


def test_the_template_is_what_the_model_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("reading.yaml")
    assert main([*command, *SMALL]) == 0
    assert main([*command, *SMALL, "llm.tok_len", "100", "--check"]) == 0  # the default prompt alone has more tokens
    assert "left out" not in capsys.readouterr().out


def test_a_model_without_a_chat_template_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("chat")
    assert main([*command, *SMALL]) == 2
    assert "no chat template" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.smollm2
def test_the_chat_template_of_smollm2_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("chat")
    assert main(command) == 0
    assert "examples: 12" in capsys.readouterr().out


def test_without_a_network_the_message_is_the_one_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("dolly-15k@llm")
    assert main([*command, *SMALL]) == 3
    assert FOLDER in capsys.readouterr().err


def test_hub_datasets_are_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(Path("cache").absolute()))
    whole, part = commands("@hub")
    for name, command in (("whole", whole), ("part", part)):
        assert main([*command, *SMALL, "expname", name]) == 0
    assert [sum(sum(client.values()) for client in held(name)) for name in ("whole", "part")] == [120, 79]
