import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
import torch
import transformers

import fedmezo
from fedmezo.core.environment import environment


def test_the_facts_are_those_of_this_process() -> None:
    facts = environment()
    assert facts["python"] == platform.python_version()
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["packages"]["transformers"] == transformers.__version__
    assert facts["packages"]["fedmezo"] == fedmezo.__version__
    assert (facts["cores"], facts["threads"]) == (os.cpu_count(), 1)
    assert (facts["gpu"] is not None) == torch.cuda.is_available()
    assert facts["processor"]
    assert json.loads(json.dumps(facts)) == facts


def test_the_commit_is_that_of_the_sources() -> None:
    commit = environment()["commit"]
    if not (Path(fedmezo.__file__).parents[1] / ".git").exists():
        pytest.skip("not a checkout")
    assert re.fullmatch("[0-9a-f]{40}", commit)


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git")])
def test_without_git_there_is_no_commit(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert environment()["commit"] is None
