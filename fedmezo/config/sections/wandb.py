"""Tracking with Weights & Biases."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean, Text

SECTION = Section(
    "wandb",
    "Tracking with Weights & Biases.",
    (
        Key("wandb.use", False, Boolean(), "Send results to Weights & Biases."),
        Key("wandb.name_user", "", Text(), "User or team."),
        Key("wandb.name_project", "", Text(), "Project."),
        Key(
            "wandb.online_track",
            False,
            Boolean(),
            "Send results to the service, which asks for an account; False: keep them here.",
        ),
        Key("wandb.client_train_info", False, Boolean(), "Send each client's training results too."),
    ),
)
