"""The run as a whole: the keys without a section."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean, Integer, ListOf, PythonFile, Registered, Text

SECTION = Section(
    "run",
    "The run as a whole (keys without a section).",
    (
        Key("_base_", (), ListOf(Text()), "Files that this one builds on, relative to it; later values win."),
        Key(
            "extensions",
            (),
            ListOf(PythonFile()),
            "Python files that add strategies, trainers, splitters, datasets or criteria; relative to this file.",
        ),
        Key(
            "callbacks",
            (),
            ListOf(Registered("reporting/callbacks")),
            "What else is told of the run as it goes on, such as callbacks that extensions add.",
            since="0.3.0",
            before=(),
        ),
        Key("use_gpu", True, Boolean(), "Use a GPU if there is one, else the CPU."),
        Key("device", 0, Integer(low=0, also=(-1,)), "Number of the GPU; -1: the CPU."),
        Key("seed", 0, Integer(low=0, below=2**63), "Seed of every random draw of the run."),
        Key("outdir", "runs", Text(), "Folder that the runs' folders are made in."),
        Key("expname", "", Text(), "Name of the run's folder; '': the file's name, numbered if it is taken."),
        Key(
            "verbose",
            1,
            Integer(low=0),
            "What is printed; 0: errors; 1: progress too; 2: all that run.log holds, such as tracebacks.",
        ),
    ),
)
