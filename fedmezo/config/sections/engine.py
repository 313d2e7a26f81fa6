"""How client work is executed."""

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Integer, OrWord, Registered

SECTION = Section(
    "engine",
    "How client work is executed.",
    (
        Key("engine.type", "local", Registered("engines"), "What executes the clients' work."),
        Key("engine.threads", 0, Integer(low=0), "Threads of a forward pass; 0: torch's own choice."),
        Key(
            "engine.lanes",
            1,
            OrWord(Integer(low=1), "auto"),
            "Clients whose losses share forward passes (LoRA; equal up to rounding); auto: as many as are worth it.",
        ),
    ),
)
