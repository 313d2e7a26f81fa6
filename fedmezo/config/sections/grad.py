"""Gradients."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Number

SECTION = Section(
    "grad",
    "Gradients.",
    (
        Key(
            "grad.grad_clip",
            -1.0,
            Number(above=0, also=(-1,)),
            "Largest norm of a gradient; -1: not clipped.",
        ),
    ),
)
