from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.assembly import assemble_problem
from fedmezo.config import load
from fedmezo.errors import ConfigurationError, ResourceError


def test_a_wrong_prompt_file_is_noticed_before_the_model_is_asked_for(
    tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "ours.yaml").write_text("with_input: '{instruction}'\n")
    path = tiny_yaml(data={"prompt": "ours.yaml"}, model={"type": "no-such-model@random_llm"})
    with pytest.raises(ConfigurationError, match=r"ours\.yaml:1: with_input: expected \{instruction\} and \{input\}"):
        assemble_problem(load(path))


def test_a_folder_that_cannot_be_made_is_noticed_before_the_model_is_asked_for(
    tiny_yaml: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    path = tiny_yaml(federate={"save_to": str(tmp_path / "new" / "adapter")}, model={"type": "none@random_llm"})
    with pytest.raises(ResourceError, match=r"^model\.type"):
        assemble_problem(load(path))
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(ResourceError, match=rf"^federate\.save_to = {tmp_path}.*\n    {tmp_path}: Permission denied$"):
        assemble_problem(load(path))
