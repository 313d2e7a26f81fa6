"""``lora``: products of two thin matrices beside weights (Hu et al., ICLR 2022), with DoRA and rsLoRA."""

from fedmezo.models.adapters.methods import Method, register


@register("lora")
class Lora(Method):
    """Left out: other kinds of initial values, changes to the base model, what needs a training loop of its own.

    ``freeze_a``: only B is trained, as by LoRA-FA (Zhang et al. 2023, arXiv:2308.03303). B is zero at the start, so
    that the gradient of A is zero, and what moves A is noise.
    """

    config = "peft.LoraConfig"
    arguments = {
        "target_modules": "modules or null",
        "exclude_modules": "modules or null",
        "fan_in_fan_out": "boolean",
        "modules_to_save": "list of text or null",
        "r": "integer >= 1",
        "lora_alpha": "integer >= 1",
        "lora_dropout": "number >= 0 < 1",
        "bias": "one of none, all, lora_only",
        "lora_bias": "boolean",
        "use_rslora": "boolean",
        "use_dora": "boolean",
        "init_lora_weights": "true",
        "layers_to_transform": "list of integer >= 0 or null",
        "layers_pattern": "list of text or null",
        "rank_pattern": "mapping",
        "alpha_pattern": "mapping",
        "trainable_token_indices": "one or more integer >= 0 or null",
        "layer_replication": "list of pair of integer >= 0 or null",
        "ensure_weight_tying": "boolean",
        "freeze_a": "boolean",
    }
    defaults = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}
    merges = True
    alike = ("r", "rank_pattern", "use_dora", "lora_alpha", "alpha_pattern", "use_rslora")
    normal = {r"\.lora_embedding_B\.": 1.0}
    uniform = (r"\.lora_A\.",)
    freezes = {"freeze_a": r"\.lora_A\."}
