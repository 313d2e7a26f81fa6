"""``vera``: two trained vectors around random matrices that all layers share (Kopiczko et al., ICLR 2024)."""

from fedmezo.models.adapters.methods import Method, register


@register("vera")
class Vera(Method):
    """Left out of PEFT's: other initial values, and saving without the random matrices."""

    config = "peft.VeraConfig"
    arguments = {
        "target_modules": "modules or null",
        "fan_in_fan_out": "boolean",
        "modules_to_save": "list of text or null",
        "r": "integer >= 1",
        "projection_prng_key": "integer >= 0",
        "vera_dropout": "number >= 0 < 1",
        "bias": "one of none, all, vera_only",
        "init_weights": "true",
        "layers_to_transform": "list of integer >= 0 or null",
        "layers_pattern": "list of text or null",
    }
    defaults = {"r": 256}
    merges = True
    alike = ("r", "projection_prng_key")
    constant = {r"\.vera_lambda_d\.": 0.1}
