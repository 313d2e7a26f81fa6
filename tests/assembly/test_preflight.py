from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.assembly import assemble_problem
from fedmezo.config import load
from fedmezo.errors import ConfigurationError


def test_a_wrong_prompt_file_is_noticed_before_the_model_is_asked_for(
    tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "ours.yaml").write_text("with_input: '{instruction}'\n")
    path = tiny_yaml(data={"prompt": "ours.yaml"}, model={"type": "no-such-model@random_llm"})
    with pytest.raises(ConfigurationError, match=r"ours\.yaml:1: with_input: expected \{instruction\} and \{input\}"):
        assemble_problem(load(path))
