"""``ln-tuning``: the model's own normalisation layers, trained as copies (Zhao et al., ICLR 2024)."""

from fedmezo.models.adapters.methods import Method, register


@register("ln-tuning")
class LNTuning(Method):
    """All of PEFT's arguments; all normalisation layers are trained unless ``target_modules`` says which."""

    config = "peft.LNTuningConfig"
    arguments = {
        "target_modules": "modules or null",
        "exclude_modules": "modules or null",
        "modules_to_save": "list of text or null",
    }
    defaults = {"target_modules": r".*(norm|ln_\w+)"}
    merges = True
