"""The language model: lengths, non-finite losses, cache and adapter."""

from typing import Any

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Arguments, Boolean, Choice, Integer, Kind, ListOf, Number, Text

_ADAPTER: dict[str, Any] = {
    "adapter_package": "peft",
    "adapter_method": "lora",
    "r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
}
_ADAPTER_KINDS: dict[str, Kind] = {
    "adapter_package": Choice(("peft",)),
    "adapter_method": Choice(("lora",)),
    "r": Integer(low=1),
    "lora_alpha": Integer(low=1),
    "lora_dropout": Number(low=0, below=1),
}

SECTION = Section(
    "llm",
    "The language model: lengths, non-finite losses, cache and adapter.",
    (
        Key("llm.tok_len", 1000, Integer(low=8), "Tokens after which an example is cut off."),
        Key("llm.retry_on_nan_loss", False, Boolean(), "Repeat a step of non-finite loss on the next batch."),
        Key(
            "llm.max_nonfinite",
            10,
            Integer(low=0),
            "Steps of non-finite loss after which the run stops (exit code 4).",
        ),
        Key("llm.cache.model", "", Text(), "Folder of the model cache; '': the user's cache."),
        Key(
            "llm.chat.max_len",
            1000,
            Integer(low=1),
            "training generates no text (length of a generated answer).",
            no_effect=True,
        ),
        Key("llm.adapter.use", True, Boolean(), "Train an adapter; False: train all parameters."),
        Key(
            "llm.adapter.args",
            (_ADAPTER,),
            ListOf(Arguments(_ADAPTER_KINDS, _ADAPTER), least=1, most=1),
            "The adapter: one mapping; what it leaves out has its default, other arguments go to the method.",
        ),
        Key(
            "llm.adapter.mv_to_cpu",
            False,
            Boolean(),
            "one model serves all clients, so that no adapter has to be moved away.",
            no_effect=True,
        ),
    ),
)
