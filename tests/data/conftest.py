"""What the tests of the data layer share: a byte tokenizer, and the folder of real data."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data"


class ByteTokenizer:
    """UTF-8 bytes; counts the texts that it was asked for."""

    bos_id = 256
    eos_id = 257
    pad_id = 258

    has_chat = True

    def __init__(self, fingerprint: str = "bytes") -> None:
        self.fingerprint = fingerprint
        self.num_encoded = 0

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        self.num_encoded += len(texts)
        return [[self.bos_id] * special + list(text.encode()) for text in texts]

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        return f"<s>Q:{user}\nA:" + (f"{assistant}</turn>\n" if assistant is not None else "")


@pytest.fixture
def tokenizer() -> ByteTokenizer:
    return ByteTokenizer()


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the folder of real data is missing: ../shared/data beside the repository")
    return REAL_DATA
