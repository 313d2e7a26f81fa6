from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.assembly import assemble_learning_task
from fedmezo.config import load
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.main import main


def test_a_wrong_prompt_file_is_noticed_before_the_model_is_asked_for(
    tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "ours.yaml").write_text("with_input: '{instruction}'\n")
    path = tiny_yaml(data={"prompt": "ours.yaml"}, model={"type": "no-such-model@random_llm"})
    with pytest.raises(ConfigurationError, match=r"ours\.yaml:1: with_input: expected \{instruction\} and \{input\}"):
        assemble_learning_task(load(path))


def test_a_folder_that_cannot_be_made_is_noticed_before_the_model_is_asked_for(
    tiny_yaml: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    path = tiny_yaml(federate={"save_to": str(tmp_path / "new" / "adapter")}, model={"type": "none@random_llm"})
    with pytest.raises(ResourceError, match=r"^model\.type"):
        assemble_learning_task(load(path))
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(ResourceError, match=rf"^federate\.save_to = {tmp_path}.*\n    {tmp_path}: Permission denied$"):
        assemble_learning_task(load(path))


@pytest.mark.parametrize("option", [["--check"], []])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["outdir", "{}/file"], 2, "outdir = {}/file\n    expected a folder; {}/file is a file"),
        (["outdir", "{}/file/runs"], 2, "outdir = {}/file/runs\n    expected a folder; {}/file is a file"),
        (["outdir", "{}/new/" + "n" * 300], 2, "this cannot be a folder's name"),
        (["outdir", "{}", "expname", "a/" + "n" * 300], 2, "this cannot be a folder's name"),
        (["outdir", "{}", "expname", "file/run"], 2, "expname = file/run\n    expected a folder; {}/file is a file"),
        (["outdir", "/proc/runs"], 3, "outdir = /proc/runs\n    /proc: "),
    ],
)
def test_a_place_where_no_run_can_be_is_noticed_before_the_model_is_asked_for(
    option: list[str],
    words: list[str],
    code: int,
    told: str,
    tiny_yaml: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    path = tiny_yaml(model={"type": "no-such-model@random_llm"})
    before = sorted(tmp_path.rglob("*"))
    assert main(["--cfg", str(path), *option, *(word.replace("{}", str(tmp_path)) for word in words)]) == code
    assert told.replace("{}", str(tmp_path)) in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_yet_to_be_made_is_tried_and_left_as_it_was(
    tiny_yaml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(model={"type": "no-such-model@random_llm"})
    before = sorted(tmp_path.rglob("*"))
    outdir = str(tmp_path / "new" / "x" / ".." / ".." / ".." / "beside")
    assert main(["--cfg", str(path), "--check", "outdir", outdir, "expname", "a/b"]) == 3
    assert "model.type = no-such-model" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before and not (tmp_path.parent / "beside").exists()
