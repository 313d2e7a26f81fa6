"""How client work is executed."""

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Integer, Registered

SECTION = Section(
    "engine",
    "How client work is executed.",
    (
        Key("engine.type", "local", Registered("engines"), "What executes the clients' work."),
        Key("engine.threads", 0, Integer(low=0), "Threads of a forward pass; 0: torch's own choice."),
    ),
)
