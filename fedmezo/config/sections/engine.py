"""How client work is executed."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import ExistingFile, Integer, ListOf, Number, OrWord, Registered, Text

SECTION = Section(
    "engine",
    "How client work is executed.",
    (
        Key("engine.type", "local", Registered("federation/engines"), "What executes the clients' work."),
        Key("engine.threads", 0, Integer(low=0), "Threads of a forward pass; 0: torch's own choice."),
        Key(
            "engine.lanes",
            1,
            OrWord(Integer(low=1), "auto"),
            "Clients whose losses share forward passes (LoRA; equal up to rounding); auto: as many as are worth it.",
        ),
        Key("engine.workers", 0, Integer(low=0), "flower_simulation: worker processes; 0: as the cores allow."),
        Key("engine.cpus", 1.0, Number(above=0), "flower_simulation: CPUs of a worker, as Ray counts them."),
        Key(
            "engine.gpus",
            "auto",
            OrWord(Number(low=0), "auto"),
            "flower_simulation: GPUs of a worker, a fraction to share one, 0: the CPU; auto: one, if there are any.",
        ),
        Key("engine.address", "", Text(), "flower_simulation: an existing Ray cluster; '': this machine."),
        Key("engine.superlink", "", Text(), "flower: HOST:PORT of the SuperLink."),
        Key(
            "engine.root_certificates",
            "",
            ExistingFile(),
            "flower: certificates that the SuperLink's is checked against; '': no TLS.",
        ),
        Key("engine.secret", "", ExistingFile(), "flower: the SuperLink's --superexec-auth-secret-file; '': none."),
        Key(
            "engine.keys",
            (),
            ListOf(ExistingFile()),
            "flower: public keys of the clients' nodes, in client order; []: a node may say which client it is.",
        ),
        Key("engine.timeout", 3600.0, Number(above=0), "Seconds that a client in another process has for its answer."),
        Key("engine.wait", 300.0, Number(low=0), "flower: seconds that a client's node is waited for."),
        Key(
            "engine.poll",
            0.05,
            Number(above=0),
            "Seconds between two looks for answers from other processes, at first.",
        ),
    ),
)
