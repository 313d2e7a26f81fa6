"""The kinds of values that keys take."""

from fedmezo.config.kinds.collection import Anything, Arguments, ListOf
from fedmezo.config.kinds.file import ChoiceOrFile, ExistingFile, PythonFile, RunOrLedger
from fedmezo.config.kinds.kind import Kind, Nullable, OrWord, ScalarKind, Synonyms
from fedmezo.config.kinds.number import Integer, Number
from fedmezo.config.kinds.text import Boolean, Choice, Day, ModelName, Registered, Text
from fedmezo.config.kinds.variants import Variants

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
