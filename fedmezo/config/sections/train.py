"""Local training: steps, optimizer, schedule and precision."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean, Choice, Integer, Number, OrWord, Registered

# The classes of torch.optim and its lr_scheduler that need nothing but parameters and plain arguments.
_OPTIMIZERS = (
    "SGD",
    "Adam",
    "AdamW",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ASGD",
    "Adafactor",
)
_SCHEDULERS = (
    "",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
)

SECTION = Section(
    "train",
    "Local training. Further keys of train.optimizer and train.scheduler are their arguments.",
    (
        Key(
            "train.train_strategy",
            "frozen",
            Registered("federation/strategies"),
            "How clients' learning rates are set.",
        ),
        Key(
            "train.lr_half_width",
            5e-6,
            Number(above=0),
            "Half the width of the interval around the rate that strategies choose in (absolute).",
        ),
        Key("train.local_update_steps", 30, Integer(low=1), "Local batches or epochs of a client in a round."),
        Key(
            "train.batch_or_epoch",
            "batch",
            Choice(("batch", "epoch")),
            "What train.local_update_steps counts.",
        ),
        Key("train.optimizer.type", "SGD", Choice(_OPTIMIZERS), "Optimizer (mezotrainer: SGD only)."),
        Key(
            "train.optimizer.lr",
            1e-5,
            OrWord(Number(above=0), "auto"),
            "Base learning rate; auto: the inverse of the measured curvature (mezotrainer).",
        ),
        Key("train.optimizer.weight_decay", 0.0, Number(low=0), "Weight decay (not of biases and norms)."),
        Key("train.optimizer.momentum", 0.0, Number(low=0), "Momentum (mezotrainer: 0 only)."),
        Key("train.scheduler.type", "", Choice(_SCHEDULERS), "Schedule of the rate over rounds; '': none."),
        Key(
            "train.is_enable_half",
            False,
            Boolean(),
            "Hold the base model in half precision; where all parameters are trained, by mezotrainer, them too.",
        ),
        Key(
            "train.precision",
            "shared",
            Choice(("shared", "plain")),
            "Half precision whose rounding both signs of a direction share, or that of each by itself, as elsewhere.",
            since="0.3.0",
            before="shared",
        ),
        Key("train.compile", False, Boolean(), "Compile the model's layers (mezotrainer; needs a C++ compiler)."),
        Key(
            "train.cache_frozen_layers",
            False,
            Boolean(),
            "Compute layers below the first trained one once for each example, without dropout, and keep what comes "
            "out (at most 1 GiB).",
            since="0.3.0",
            before=False,
        ),
        Key("train.gradient_checkpointing", False, Boolean(), "Save memory in backpropagation (llmtrainer)."),
    ),
    open_names=("train.optimizer", "train.scheduler"),
)
