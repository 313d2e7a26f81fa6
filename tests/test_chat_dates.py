"""A run whose chat template shows the date is the same whenever it goes on."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from transformers.utils import chat_template_utils

from fedmezo.generate import main as generate
from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from tests.evaluation.tasks.gsm import write_model
from tests.models.test_tokenizers import bpe

TEMPLATE = (
    "Today: {{ strftime_now('%d %B %Y') }}{% for turn in messages %}{% if turn.role == 'user' %}[{{ turn.content }}]"
    "{% else %}{{ turn.content }}</s>{% endif %}{% endfor %}"
)


def on(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let templates find another day on the clock."""
    moment = datetime.fromisoformat(day)

    class Clock:
        @staticmethod
        def now() -> datetime:
            return moment

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


def data_hash(run: Path) -> bytes:
    header = Ledger(run / "ledger.bin").header
    assert header is not None
    return header.hashes["data"]


def test_it_goes_on_on_another_day(
    tmp_path: Path, tiny_yaml: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "model")
    tokenizer = bpe()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "model")
    model = {"type": f"{tmp_path / 'model'}@huggingface_llm"}
    cfg = str(tiny_yaml(model=model, data={"prompt": "chat"}, federate={"client_num": 3, "total_round_num": 1}))
    runs = {name: tmp_path / "runs" / name for name in ("fixed", "other", "clock")}

    on("2026-07-30", monkeypatch)
    assert main(["--cfg", cfg, "-q", "expname", "fixed"]) == 0
    assert main(["--cfg", cfg, "-q", "expname", "other", "data.date", "2026-07-30"]) == 0
    assert main(["--cfg", cfg, "-q", "expname", "clock", "data.date", ""]) == 0
    assert data_hash(runs["fixed"]) != data_hash(runs["other"]) == data_hash(runs["clock"])

    on("2026-07-31", monkeypatch)
    more = ["-q", "federate.total_round_num", "2"]
    assert main(["--resume", str(runs["fixed"]), *more]) == 0
    assert generate([str(runs["fixed"]), "--prompt", "low", "--max-tokens", "2"]) == 0
    assert main(["--resume", str(runs["clock"]), *more]) == 3
    assert "began with another data" in capsys.readouterr().err
    assert main(["--resume", str(runs["clock"]), *more, "data.date", "2026-07-30"]) == 0  # the day on which it began
