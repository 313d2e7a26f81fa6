"""Zeroth-order estimation."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Arguments, Choice, Integer, ListOf, Nullable, Number, Registered, Text

SECTION = Section(
    "zo",
    "Zeroth-order estimation (mezotrainer).",
    (
        Key("zo.mu", 1e-3, Number(above=0), "Perturbation scale."),
        Key(
            "zo.seed",
            None,
            Nullable(Integer(low=0, below=2**63)),
            "Seed of the directions; null: derived from seed.",
        ),
        Key("zo.queries", 1, Integer(low=1), "Directions of a step."),
        Key(
            "zo.estimator",
            "central",
            Registered("zeroth_order/estimators"),
            "central: a pair of losses a direction; one-sided: one loss a direction, and one that all share.",
        ),
        Key(
            "zo.normalise",
            "none",
            Registered("zeroth_order/steps"),
            "Steps by projected gradients as they are, or over their deviation in a step (std), their running root "
            "mean square (ema), the curvature along directions (newton); curvature: as they are, at most newton's.",
            since="0.3.0",
            before="none",
        ),
        Key(
            "zo.distribution",
            "gaussian",
            Registered("core/directions/distributions"),
            "Distribution of the directions.",
        ),
        Key(
            "zo.scales",
            (),
            ListOf(
                Arguments({"name": Text(), "scale": Number(low=1e-6, high=1e6)}, {"name": "", "scale": 1.0}, open=False)
            ),
            "Scales of the directions: of the parameters whose name holds `name`; the first that fits counts.",
        ),
        Key(
            "zo.blocks",
            1,
            Integer(low=1),
            "Blocks of consecutive layers that directions are inside of: the forward of a direction begins at its "
            "block. What is trained before or after the layers is a block besides. 1: directions of all parameters.",
            since="0.3.0",
            before=1,
        ),
        Key(
            "zo.block_order",
            "cyclic",
            Choice(("cyclic", "random")),
            "How the directions of a run are given blocks: in turn, or drawn.",
            since="0.3.0",
            before="cyclic",
        ),
        Key(
            "zo.use_blocks",
            (),
            ListOf(Integer(low=0)),
            "Numbers of the blocks that directions are in, from the bottom of the model; []: all.",
            since="0.3.0",
            before=(),
        ),
        Key(
            "zo.directions",
            "private",
            Choice(("private", "shared")),
            "Whether each client has directions of its own or all share them.",
        ),
    ),
)
