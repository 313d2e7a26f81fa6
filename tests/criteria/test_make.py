from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.criteria.make import make_criterion

HEAD = "def mine(logits, labels, rows):\n    "


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (HEAD + "return undefined", r"mine\.py:2, in mine\(logits, labels, rows\)\n    NameError: .*undefined"),
        (
            HEAD + "return labels",
            r"mine\.py:\d+\n    mine returned torch\.int64 of shape \[5\]\n    expected a floating-point",
        ),
        (HEAD + "return logits", r"returned torch\.float32 of shape \[5, 8\]"),
        (HEAD + "return logits.mean()", r"returned torch\.float32 of shape \[\]"),
        (HEAD + "return logits[:0, 0]", r"returned torch\.float32 of shape \[0\]"),
        (HEAD + "return 0.5", "returned float"),
        ("def other(): ...", r"mine\.py has no function mine"),
        ("mine = 3", r"mine\.py has no function mine"),
        ("x = 1\nraise RuntimeError('boom')", r"mine\.py:2\n    RuntimeError: boom"),
        ("def mine(:", r"mine\.py:1\n    SyntaxError"),
        ("import no_such_module", r"mine\.py:1\n    ModuleNotFoundError: .*no_such_module"),
    ],
)
def test_a_mistake_in_the_users_file_is_named_with_its_line(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        make_criterion(f"{path}:mine")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"criterion\.type = .*none\.py:mine\n    there is no file .*none\.py"):
        make_criterion(f"{tmp_path / 'none.py'}:mine")
