"""``ia3``: factors of activations (Liu et al., NeurIPS 2022), which are 1 initially."""

from fedmezo.models.adapters.methods import Method, register


@register("ia3")
class IA3(Method):
    """All of PEFT's arguments."""

    config = "peft.IA3Config"
    arguments = {
        "target_modules": "modules or null",
        "exclude_modules": "modules or null",
        "fan_in_fan_out": "boolean",
        "modules_to_save": "list of text or null",
        "feedforward_modules": "modules or null",
        "init_ia3_weights": "true",
    }
    merges = True
