"""The kinds of values that keys take."""

from fedmezo.config.kinds.collection import Anything, Arguments, ListOf
from fedmezo.config.kinds.kind import Kind, Nullable, Synonyms
from fedmezo.config.kinds.number import Integer, Number
from fedmezo.config.kinds.text import Boolean, Choice, ModelName, Registered, Text

__all__ = [
    "Anything",
    "Arguments",
    "Boolean",
    "Choice",
    "Integer",
    "Kind",
    "ListOf",
    "ModelName",
    "Nullable",
    "Number",
    "Registered",
    "Synonyms",
    "Text",
]
