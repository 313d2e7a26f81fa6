"""The language model: lengths, non-finite losses, cache and adapter."""

from fedmezo.config.key import Key, Section
from fedmezo.config.peft_arguments import DEFAULT, AdapterArguments, arguments_of
from fedmezo.config.types import Boolean, Choice, Integer, ListOf, Text

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
        Key(
            "llm.accept_terms",
            (),
            ListOf(Choice(("gemma",))),
            "Terms of use that you have read and accept: of gemma-3-270m@package_llm, [gemma].",
            since="0.3.0",
            before=(),
        ),
        Key("llm.cache.model", "", Text(), "Folder of the model cache; '': the user's cache."),
        Key(
            "llm.chat.max_len",
            1000,
            Integer(low=1),
            "Tokens of an answer of `python -m fedmezo.generate` at most.",
        ),
        Key("llm.adapter.use", True, Boolean(), "Train an adapter; False: train all parameters."),
        Key(
            "llm.adapter.args",
            (arguments_of(DEFAULT).defaults,),
            ListOf(AdapterArguments(), least=1, most=1),
            "The adapter: one mapping, of a PEFT method and its arguments.",
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
