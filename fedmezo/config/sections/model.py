"""The base model."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Choice, ModelName

SECTION = Section(
    "model",
    "The base model.",
    (
        Key(
            "model.type",
            "SmolLM2-135M-Instruct@package_llm",
            ModelName(),
            "Model and where it comes from; with huggingface_llm the name is a hub id or a local folder.",
        ),
        Key(
            "model.device_map",
            "",
            Choice(("", "auto", "balanced", "balanced_low_0", "sequential")),
            "How accelerate spreads a model over several GPUs, in its words; '': all on one device.",
        ),
    ),
)
