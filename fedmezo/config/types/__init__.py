"""The kinds of values that keys take."""

from fedmezo.config.types.collection import Anything, Arguments, ListOf
from fedmezo.config.types.field_type import FieldType, Nullable, OrWord, ScalarType, Synonyms
from fedmezo.config.types.file import ExistingFile, PythonFile, RegisteredOrFile, RunOrLedger
from fedmezo.config.types.number import Integer, Number
from fedmezo.config.types.text import Boolean, Choice, Day, ModelName, Registered, Text

__all__ = [
    "Anything",
    "Arguments",
    "Boolean",
    "Choice",
    "Day",
    "ExistingFile",
    "FieldType",
    "Integer",
    "ListOf",
    "ModelName",
    "Nullable",
    "Number",
    "OrWord",
    "PythonFile",
    "Registered",
    "RegisteredOrFile",
    "RunOrLedger",
    "ScalarType",
    "Synonyms",
    "Text",
]
