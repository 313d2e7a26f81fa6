"""What every row keeps, and rows of the user's own."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import import_extensions
from fedmezo.main import main
from fedmezo.models.adapters import attach_adapter, initial_parameters
from fedmezo.models.adapters.methods import registry
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.hashing import model_hash
from fedmezo.replay import main as replay
from tests.guides.test_extending import blocks
from tests.models.tiny import SMALL, tiny_adapter, tiny_base

Write = Callable[..., Path]
LOHA = blocks("A method of PEFT", "python")[0]
names = pytest.mark.parametrize("name", registry.names())
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


@names
def test_a_row_says_itself_what_is_drawn(name: str) -> None:
    """The row's patterns cover all of PEFT's draws: nothing is left to torch's generator, whatever its seed."""
    points = []
    for seed in (1, 2):
        model = attach_adapter(tiny_base(), {"adapter_method": name, **SMALL.get(name, {})}, seed)
        points.append(initial_parameters(FlatParameters(model), registry[name], 5))
    assert torch.equal(points[0], points[1])


@names
def test_patterns_of_a_row_are_regular_expressions(name: str) -> None:
    row = registry[name]
    for pattern in (*row.normal, *row.uniform):
        re.compile(pattern)


def test_random_matrices_of_an_adapter_count_as_part_of_the_base_model() -> None:
    one, same, other = (tiny_adapter("vera", projection_prng_key=key).model for key in (0, 0, 1))
    assert model_hash(one) == model_hash(same) != model_hash(other)


def entered(folder: Path, source: str) -> Path:
    path = folder / "own.py"
    path.write_text(source, encoding="utf-8")
    import_extensions([str(path)])
    return path


def test_a_method_of_the_users_is_trained_saved_checked_replayed_and_merged(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loha.py").write_text(LOHA, encoding="utf-8")
    args = [{"adapter_method": "loha", "r": 2}]
    cfg = tiny_yaml(extensions=["loha.py"], llm={"tok_len": 420, "adapter": {"args": args}})
    assert main(["--cfg", str(cfg), "federate.total_round_num", "2", "expname", "run"]) == 0
    assert "adapter checked in " in capsys.readouterr().out
    run = tmp_path / "runs" / "run"
    saved = json.loads((run / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (saved["peft_type"], saved["r"], saved["alpha"], len(saved["target_modules"])) == ("LOHA", 2, 8, 14)
    assert replay([str(run), "--verify", "--export", "merged", "--to", str(tmp_path / "merged")]) == 0
    out = capsys.readouterr().out
    assert "all equal" in out and "merged checked in " in out


def test_what_no_row_knows_of_is_drawn_from_the_runs_seed(tmp_path: Path) -> None:
    entered(tmp_path, LOHA.replace('uniform = (r"\\.hada_",)', ""))

    def start(seed: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 77)  # not that of the process
            return FlatParameters(attach_adapter(tiny_base(), {"adapter_method": "loha"}, seed // 2)).buffer

    assert torch.equal(start(2), start(3)) and not torch.equal(start(2), start(4))


def test_the_guides_row_knows_all_that_is_drawn(tmp_path: Path) -> None:
    entered(tmp_path, LOHA)
    points = [FlatParameters(attach_adapter(tiny_base(), {"adapter_method": "loha"}, seed)) for seed in (1, 2)]
    starts = [initial_parameters(each, registry["loha"], 5) for each in points]
    assert torch.equal(*starts) and not torch.equal(points[0].buffer, starts[0])
    assert all(not t.any() for n, t in points[0].tensors(starts[0]).items() if "hada_w2_b" in n)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("peft.LohaConfig", "module 'peft' has no attribute 'LohaConfig'"),
        ("pft.LoHaConfig", "No module named 'pft'"),
        ("LoHaConfig", "Empty module name"),
        ("peft.PeftModel", "config = peft.PeftModel is no configuration of PEFT"),
        ("peft.get_peft_model", "config = peft.get_peft_model is no configuration of PEFT"),
    ],
)
def test_a_class_that_is_none_is_told_with_its_line(after: str, words: str, tmp_path: Path) -> None:
    path = entered(tmp_path, LOHA.replace("peft.LoHaConfig", after))
    with pytest.raises(ConfigurationError) as caught:
        attach_adapter(tiny_base(), {"adapter_method": "loha"})
    assert str(caught.value).startswith(f"{path}:5\n") and words in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("(Method)", "", r":5\n.*method of PEFT 'loha' has no alike"),
        ('    config = "peft.LoHaConfig"\n', "", r":5\n.*method of PEFT 'loha' has no config"),
    ],
)
def test_what_a_row_lacks_is_told(before: str, after: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        entered(tmp_path, LOHA.replace(before, after))


def test_methods_differ() -> None:
    classes: list[Any] = [registry[name].config for name in registry.names()]
    assert len(set(classes)) == len(classes)
