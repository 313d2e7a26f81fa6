"""Where memory runs out, one message says at what, and what takes less; what was recorded is kept."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmezo.core.errors import ClientError, ConfigurationError
from fedmezo.core.out_of_memory import as_memory_error, during
from fedmezo.generate import main as generate
from fedmezo.main import main
from fedmezo.replay import main as replay
from fedmezo.training.mezo import MezoTrainer

Write = Callable[..., Path]
CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB\nSee documentation"


def cpu() -> object:
    return torch.empty(1 << 60, dtype=torch.uint8)


def numpy() -> object:
    return np.empty(1 << 60, dtype=np.uint8)


def python() -> object:
    return bytearray(1 << 62)


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*arguments: object, **named: object) -> object:
        raise error

    return fail


@pytest.mark.parametrize(
    "work",
    [
        cpu,
        numpy,
        python,
        raising(torch.OutOfMemoryError(CUDA)),
        raising(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")),
        raising(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously")),
        raising(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
        raising(RuntimeError("std::bad_alloc")),
    ],
)
def test_every_library_s_error_is_known(work: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught, during("reading"):
        work()
    error = as_memory_error(caught.value)
    assert error is not None and str(error).startswith("reading: ")
    assert "eval.batch_size" in str(error) and "docs/guides/out-of-memory.md" in str(error)
    assert "See documentation" not in str(error) and "asynchronously" not in str(error)


def test_also_where_another_error_was_made_of_it() -> None:
    wrapped = ConfigurationError("llm.adapter.args\n    cannot be attached")
    wrapped.__cause__ = MemoryError()
    assert str(as_memory_error(wrapped)).startswith("llm.adapter.args\n    cannot be attached\n")
    for other in (RuntimeError("a defect"), ClientError("round 0, client 0: ValueError: no"), OSError(errno.EIO, "")):
        assert as_memory_error(other) is None


def test_a_client_s_work(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_yaml()
    assert main(["--cfg", str(path), "expname", "run", "federate.total_round_num", "1"]) == 0
    run = str(path.parent / "runs" / "run")
    with monkeypatch.context() as patch:
        patch.setattr(MezoTrainer, "_score", raising(torch.OutOfMemoryError(CUDA)))
        capsys.readouterr()
        assert main(["--resume", run, "federate.total_round_num", "2"]) == 3
    error = capsys.readouterr().err
    assert "fedmezo: round 1, client 0: OutOfMemoryError: CUDA out of memory. Tried" in error
    assert "docs/guides/out-of-memory.md" in error and "Traceback" not in error
    assert main(["--resume", run, "federate.total_round_num", "2"]) == 0
    assert replay([run, "--verify"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr("fedmezo.commands.load_run.Rebuilt.answer", raising(torch.OutOfMemoryError(CUDA)))
        assert generate([run, "--prompt", "Why?"]) == 3


def test_an_evaluation_on_the_cpu(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml()
    with monkeypatch.context() as patch:
        patch.setattr("fedmezo.evaluation.evaluator.Evaluator.__call__", lambda self, parameters: cpu())
        assert main(["--cfg", str(path), "expname", "run"]) == 3
    error = capsys.readouterr().err
    assert "fedmezo: evaluation after 0 rounds: RuntimeError: [enforce fail" in error and "Traceback" not in error
    assert main(["--resume", str(path.parent / "runs" / "run")]) == 0
