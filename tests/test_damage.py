"""Run folders that a crash, a full disk or a hand has damaged: never a wrong model, never a traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.assembly.identity import INCIDENTAL
from fedmezo.config import RESUMABLE
from fedmezo.core.run_folder import RunFolder
from fedmezo.main import main
from fedmezo.replay import main as replay
from tests.conftest import WORD_PROBLEMS, write_tiny
from tests.test_main import Run, resume, same, train

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def six_rounds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of six rounds that nothing happened to."""
    return train(write_tiny(tmp_path_factory.mktemp("whole")), "whole", "federate.total_round_num", "6")


def copied(run: Run) -> Run:
    """Return another run of the same bytes."""
    return Run(shutil.copytree(run.folder, run.folder.parent / "copy"))


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")


def damage(path: Path, at: float) -> None:
    """Flip a bit of a file, a fraction of the way through it."""
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 16
    path.write_bytes(data)


@pytest.mark.covering(1)
@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
@pytest.mark.parametrize("at", [0.85, 0.92, 0.999])
def test_a_flipped_bit_costs_what_came_after_it_and_is_told(
    tiny_yaml: Write, trainer: str, at: float, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(tiny_yaml(), "whole", "trainer.type", trainer, "federate.total_round_num", "6")
    part = copied(whole)
    damage(part.folder / "ledger.bin", at)
    capsys.readouterr()
    resume(part)
    assert "damaged from byte" in (told := capsys.readouterr().err) and "set aside in" in told
    assert same(whole, part) and (part.folder / "ledger.dropped.bin").stat().st_size > 0


def test_a_damaged_header_is_refused(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    damage(run.folder / "ledger.bin", 0.1)
    before = run.ledger_bytes()
    resume(run, code=3)
    assert "the header is damaged" in capsys.readouterr().err and run.ledger_bytes() == before


def test_a_run_of_an_earlier_version_is_not_begun_anew(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    (run.folder / "ledger.bin").rename(run.folder / "ledger.jsonl")
    rows = run.rows()
    resume(run, code=3)
    assert "recorded by an earlier version" in capsys.readouterr().err and run.rows() == rows


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_lost_example_losses_cost_the_comparison_only(six_rounds: Run, tiny_run: Path, damage: str) -> None:
    part = Run(tiny_run)
    path = part.folder / "evaluations.jsonl"
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.unlink()
    resume(part, "federate.total_round_num", "6")
    assert same(six_rounds, part)
    assert ("test" in part.summary()["losses"]) is (damage == "torn")
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def test_a_damaged_snapshot_is_replaced_by_a_replay(tiny_yaml: Write, six_rounds: Run) -> None:
    part = train(tiny_yaml(), "part", "federate.save_freq", "1")
    (part.folder / "snapshots" / "000004.safetensors").write_bytes(b"nonsense")
    (part.folder / "snapshots" / "mine.safetensors").write_bytes(b"nonsense")
    assert same(six_rounds, resume(part, "federate.total_round_num", "6"))


def test_backpropagation_goes_back_to_the_snapshot_it_has(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    whole = train(tiny_yaml(trainer={"type": "llmtrainer"}), "whole")
    run = copied(whole)
    (run.folder / "snapshots" / "000004.safetensors").write_bytes(b"nonsense")
    resume(run)
    assert "the rounds after round 3 cannot be rebuilt" in capsys.readouterr().err
    assert same(whole, run)


def test_an_edited_configuration_is_refused(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    rewrite(run.folder / "config.yaml", lambda lines: [line.replace("lr: 0.01", "lr: 0.5") for line in lines])
    resume(run, "federate.total_round_num", "6", code=2)
    assert "train.optimizer.lr: it was 0.01, now it is 0.5\n" in capsys.readouterr().err


def test_a_moved_run_goes_on(six_rounds: Run, tiny_run: Path) -> None:
    moved = tiny_run.rename(tiny_run.parent / "moved")
    assert same(six_rounds, resume(Run(moved), "federate.total_round_num", "6"))


def test_a_second_process_is_refused(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    before = run.ledger_bytes()
    with RunFolder(run.folder).locked():
        resume(run, "federate.total_round_num", "6", code=3)
    assert "another process is at work" in capsys.readouterr().err
    assert run.ledger_bytes() == before


def test_fewer_rounds_than_are_done_are_refused(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    resume(run, "federate.total_round_num", "2", code=2)
    assert "4 rounds are done already" in capsys.readouterr().err
    resume(run)


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.scheduler.type", "StepLR", "train.scheduler.step_size", "0"],
        ["trainer.type", "llmtrainer", "train.optimizer.foo", "1"],
        ["trainer.type", "llmtrainer", "train.optimizer.type", "Adam", "train.optimizer.betas", "[0.5, 2]"],
        ["llm.adapter.args", "[{target_modules: [foo]}]"],
        ["data.splitter_args", "[{alpha: 0.5}]"],
        ["data.file", "x.json"],
        ["train.optimizer.lr", "-1e-5"],
        ["federate.save_to", __file__],
        ["federate.save_to", f"{__file__}/inside"],
        ["trainer.type", "llmtrainer", "train.optimizer.type", "ASGD", "train.optimizer.lambd", "x"],
    ],
)
def test_what_cannot_work_is_found_before_anything_is_made(
    tiny_yaml: Write, overrides: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml()
    assert main(["--cfg", str(path), *overrides]) == 2
    named = {
        "train.optimizer.lambd": "train.optimizer.type",
        "train.optimizer.betas": "train.optimizer.type",
        "train.optimizer.foo": "train.optimizer.type",
    }
    named["train.scheduler.step_size"] = "train.scheduler.type"
    assert named.get(overrides[-2], overrides[-2]) in capsys.readouterr().err
    assert not (path.parent / "runs").exists()


def test_early_stopping_saves_where_it_was_told_to(tiny_yaml: Write, tmp_path: Path) -> None:
    up = ("train.optimizer.lr", "3000", "early_stop.patience", "1", "eval.freq", "1", "federate.total_round_num", "9")
    run = train(tiny_yaml(data=WORD_PROBLEMS), "run", *up, "federate.save_to", str(tmp_path / "copy"))
    assert run.summary()["outcome"] == "stopped early"
    assert (tmp_path / "copy" / "adapter_model.safetensors").read_bytes() == run.adapter_bytes()


def test_a_name_too_long_for_the_disk_is_a_message(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_yaml()
    (path.parent / "runs").mkdir()
    assert main(["--cfg", str(path), "expname", "x" * 300]) == 2
    assert "too long" in capsys.readouterr().err


def test_examples_lost_to_the_token_limit_are_named_where_too_few_are_left(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cfg", str(tiny_yaml(data=WORD_PROBLEMS)), "llm.tok_len", "240", "federate.client_num", "50"]) == 3
    assert "llm.tok_len = 240 cuts off" in capsys.readouterr().err


def test_what_may_change_on_resume_is_not_part_of_the_runs_hash() -> None:
    assert all(key in INCIDENTAL or key.rpartition(".")[0] in INCIDENTAL for key in RESUMABLE)


def test_data_that_changed_since_is_refused(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(answer: str) -> None:
        rows = [{"instruction": f"Say {number}.", "output": f"{answer} {number}"} for number in range(40)]
        (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    write("one")
    run = train(tiny_yaml(), "run", "data.type", "mine.jsonl", "data.root", str(tmp_path))
    write("two")
    resume(run, "federate.total_round_num", "6", code=3)
    assert "another data" in capsys.readouterr().err


def test_nothing_is_written_twice_by_an_evaluation_that_is_repeated(tiny_run: Path) -> None:
    run = Run(tiny_run)
    before = run.rows("evaluations.jsonl")
    path = run.folder / "ledger.bin"
    path.write_bytes(path.read_bytes()[:-1])
    resume(run)
    assert run.rows("evaluations.jsonl") == before


def test_a_copy_that_fails_costs_the_copy_only(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_yaml()
    target = path.parent / "runs" / "run" / "adapter"
    run = train(path, "run", "federate.save_to", str(target), code=3)
    assert "federate.save_to" in capsys.readouterr().err
    assert run.summary()["outcome"] == "completed" and run.adapter()


@pytest.mark.covering(1)
@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_best_adapter_is_noticed_and_rebuilt(
    tiny_yaml: Write, trainer: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tiny_yaml(), "run", "trainer.type", trainer)
    path = run.folder / "adapter_best" / "adapter_model.safetensors"
    whole = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] + (b"\x55" if how == "flipped" else b""))
    assert replay([str(run.folder), "--verify"]) == 3
    assert str(path.parent) in (told := capsys.readouterr().err) and "restore_from" not in told
    assert (replay([str(run.folder), "--round", "best"]) == 0) is (trainer == "mezotrainer")  # the ledger leads to it
    capsys.readouterr()
    resume(run)
    assert "rebuilt from the ledger" in capsys.readouterr().err
    assert path.read_bytes() == whole


def test_what_a_killed_process_left_half_written_is_removed(tiny_yaml: Write) -> None:
    run = train(tiny_yaml(), "run", "federate.total_round_num", "2")
    (run.folder / "abcdef.tmp" / "adapter").mkdir(parents=True)
    (run.folder / "snapshots" / "000009.tmp").write_bytes(b"half of it")
    resume(run)
    assert list(run.folder.rglob("*.tmp")) == []


def test_a_run_killed_before_its_configuration_was_there_begins_again(tiny_yaml: Write) -> None:
    path = tiny_yaml()
    (path.parent / "runs" / "run").mkdir(parents=True)
    (path.parent / "runs" / "run" / "config.yaml.tmp").write_text("seed")
    assert train(path, "run").summary()["outcome"] == "completed"


def test_a_run_whose_ledger_is_gone_is_not_begun_anew(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    (run.folder / "ledger.bin").unlink()
    before = run.adapter_bytes(), run.rows()
    resume(run, code=3)
    assert "the ledger is gone" in capsys.readouterr().err and before == (run.adapter_bytes(), run.rows())


def test_losses_of_examples_that_were_changed_are_left_out(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    path = run.folder / "evaluations.jsonl"
    rows = run.rows("evaluations.jsonl")
    rows[-1]["sums"][0] += 1.0
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    resume(run)
    assert "are not those recorded" in capsys.readouterr().err
    assert set(run.summary()["losses"]) == {"val"}


def test_a_comment_in_an_extension_does_not_keep_anybody_from_replaying(tiny_yaml: Write, tmp_path: Path) -> None:
    extension = tmp_path / "own.py"
    extension.write_text("# first\n", encoding="utf-8")
    run = train(tiny_yaml(), "run", "extensions", f"[{extension}]")
    extension.write_text("# second\n", encoding="utf-8")
    assert replay([str(run.folder), "--verify"]) == 0
    resume(run, code=2)
