"""``prefix``: keys and values before those of every layer (Li and Liang, ACL 2021)."""

from fedmezo.models.adapters.methods import VIRTUAL_TOKENS, Method, register


@register("prefix")
class Prefix(Method):
    """Left out of PEFT's: what it reads off the model."""

    config = "peft.PrefixTuningConfig"
    arguments = {
        "num_virtual_tokens": "integer >= 1",
        "modules_to_save": "list of text or null",
        "prefix_projection": "boolean",
        "encoder_hidden_size": "integer >= 1",
        "init_weights": "one of zero or null",
    }
    defaults = {"num_virtual_tokens": 20, "encoder_hidden_size": 128}
    alike = ("num_virtual_tokens", "prefix_projection")
    normal = {VIRTUAL_TOKENS: 1.0}
    uniform = (r"^prompt_encoder\.",)  # the projection
