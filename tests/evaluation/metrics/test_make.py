"""A metric that breaks the contract is refused with its place, before a run's folder is made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.main import main

OWN = """
from fedmezo.evaluation.metrics import Metric, register


@register("own")
class Own(Metric):
    higher_is_better = False
    unit = "nats"

    def values(self, logits, labels, losses):
        return losses * 2

    def counts(self, labels):
        return (labels % 2).long()
"""
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")
BROKEN = {  # what is wrong, and in which line: of the class, or of the error
    "losses[:1]": ("values returned torch.float32 of shape [1]", 5),
    "None": ("values returned NoneType", 5),
    "losses / nothing": ("NameError", 11),
}


@pytest.mark.parametrize("answer", BROKEN)
def test_what_goes_wrong_is_told_with_its_line(
    tiny_yaml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    said, line = BROKEN[answer]
    (tmp_path / "own.py").write_text(OWN.replace("losses * 2", answer), encoding="utf-8")
    assert main(["--cfg", str(tiny_yaml()), "extensions", str(tmp_path / "own.py"), "eval.metrics", "own"]) == 2
    message = capsys.readouterr().err
    assert said in message and f"{tmp_path / 'own.py'}:{line}\n" in message and "Traceback" not in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("(labels % 2).long()", "labels % 2 - 1", "counts returned [-1,"),
        ("(labels % 2).long()", "labels / 2", "counts returned torch.float32"),
        ('"own"', '"client_own"', "the name client_own"),
        ('"own"', '"an own"', "the name an own"),
        ("    higher_is_better = False\n", "", "metric 'own' has no higher_is_better"),
        ("Own(Metric)", "Own", "no subclass of Metric"),
        ("    unit =", '    sums_of = "perplexity"\n    unit =', "sums_of = 'perplexity'"),
    ],
)
def test_a_metric_that_breaks_the_contract_is_refused(
    tiny_yaml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    (tmp_path / "own.py").write_text(OWN.replace(old, new), encoding="utf-8")
    name = new.strip('"') if old == '"own"' else "own"
    words = ("extensions", str(tmp_path / "own.py"), "eval.metrics", f"['{name}']")
    assert main(["--cfg", str(tiny_yaml()), *words]) == 2
    assert not (tmp_path / "runs").exists()
    message = capsys.readouterr().err
    assert said in message and f"{tmp_path / 'own.py'}" in message and "Traceback" not in message


def test_a_name_that_nothing_registers_is_refused_before_anything_runs(
    tiny_yaml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    words = ("extensions", str(tmp_path / "own.py"), "eval.metrics", "ownn")
    assert main(["--cfg", str(tiny_yaml()), *words, "eval.best_res_update_round_wise_key", "test_ownn"]) == 2
    message = capsys.readouterr().err
    assert "the nearest is own" in message and "the nearest is test_own" in message
