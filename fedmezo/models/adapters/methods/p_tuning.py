"""``p-tuning``: embeddings before those of the text, computed by a small network (Liu et al., 2021)."""

from fedmezo.models.adapters.methods import VIRTUAL_TOKENS, Method, register


@register("p-tuning")
class PTuning(Method):
    """Left out of PEFT's: what it reads off the model."""

    config = "peft.PromptEncoderConfig"
    arguments = {
        "num_virtual_tokens": "integer >= 1",
        "modules_to_save": "list of text or null",
        "encoder_reparameterization_type": "one of MLP, LSTM",
        "encoder_hidden_size": "integer >= 1",
        "encoder_num_layers": "integer >= 1",
        "encoder_dropout": "number >= 0 < 1",
    }
    defaults = {"num_virtual_tokens": 20, "encoder_hidden_size": 128}
    alike = ("num_virtual_tokens", "encoder_reparameterization_type")
    normal = {VIRTUAL_TOKENS: 1.0}
    uniform = (r"^prompt_encoder\.",)  # the network
