"""``prompt``: embeddings before those of the text (Lester et al., EMNLP 2021)."""

from fedmezo.models.adapters.methods import VIRTUAL_TOKENS, Method, register


@register("prompt")
class Prompt(Method):
    """Left out of PEFT's: what it reads off the model; the words of ``TEXT`` are encoded by the run's own tokenizer."""

    config = "peft.PromptTuningConfig"
    arguments = {
        "num_virtual_tokens": "integer >= 1",
        "modules_to_save": "list of text or null",
        "prompt_tuning_init": "one of RANDOM, TEXT, SAMPLE_VOCAB",
        "prompt_tuning_init_text": "text or null",
    }
    defaults = {"num_virtual_tokens": 20}
    alike = ("num_virtual_tokens",)
    normal = {VIRTUAL_TOKENS: 1.0}
