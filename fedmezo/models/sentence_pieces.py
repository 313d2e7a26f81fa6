"""Tokenizers that a model publishes as ``tokenizer.model`` alone: texts are divided by sentencepiece itself.

transformers would convert the file without what it says of normalisation, spaces and unknown characters, so that texts
get other ids than those that the model was trained on.
"""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.tokenization_utils_sentencepiece import SentencePieceBackend

from fedmezo.core.installed import check_installed

PATTERNS = {(False, False): "none", (True, False): "bos", (False, True): "eos", (True, True): "bos_eos"}


class LlamaTokenizer(SentencePieceBackend):  # type: ignore[misc]
    """Divides and joins texts as sentencepiece does; the name is the one that a saved copy is known by to others."""

    def __init__(self, **options: Any) -> None:
        ends = bool(options.get("add_bos_token", True)), bool(options.get("add_eos_token", False))
        options |= {"legacy": True, "special_tokens_pattern": PATTERNS[ends]}  # legacy: as sentencepiece does
        super().__init__(**{"clean_up_tokenization_spaces": False, **_named_tokens(options["vocab_file"]), **options})

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Return the text of pieces."""
        return str(self.sp_model.decode(tokens))


def _named_tokens(path: str) -> dict[str, str]:
    """Return the tokens that a file gives a part to, for where no configuration does."""
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(model_file=path)
    named = {"unk_token": model.unk_id(), "bos_token": model.bos_id(), "eos_token": model.eos_id()}
    return {name: model.id_to_piece(token) for name, token in named.items() if token >= 0}


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder, as one of transformers; no remote code.

    Raises:
        ConfigurationError: it needs sentencepiece, which is not installed.
    """
    path = folder / "tokenizer.model"
    if not path.is_file() or (folder / "tokenizer.json").is_file():
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    check_installed(str(path), {"sentencepiece": "llm"})
    return LlamaTokenizer.from_pretrained(folder, local_files_only=True)
