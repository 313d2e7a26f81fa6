"""The kinds of values that keys take."""

from fedmezo.config.types.collection import Anything, Arguments, ListOf
from fedmezo.config.types.file import ChoiceOrFile, ExistingFile, PythonFile, RunOrLedger
from fedmezo.config.types.kind import Kind, Nullable, OrWord, ScalarKind, Synonyms
from fedmezo.config.types.number import Integer, Number
from fedmezo.config.types.text import Boolean, Choice, Day, ModelName, Registered, Text
from fedmezo.config.types.variants import Variants

__all__ = [
    "Anything",
    "Arguments",
    "Boolean",
    "Choice",
    "ChoiceOrFile",
    "Day",
    "ExistingFile",
    "Integer",
    "Kind",
    "ListOf",
    "ModelName",
    "Nullable",
    "Number",
    "OrWord",
    "PythonFile",
    "Registered",
    "RunOrLedger",
    "ScalarKind",
    "Synonyms",
    "Text",
    "Variants",
]
