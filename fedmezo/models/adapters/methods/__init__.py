"""Methods of PEFT by the name in ``llm.adapter.args``: all there is to know of each. One file a method.

A row names PEFT's class, so that a file costs no import of PEFT. What a configuration may say is checked before any
file is run: ``arguments`` and ``defaults`` are literals, which are read from the source.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fedmezo.core.registry import Registry

VIRTUAL_TOKENS = r"^prompt_encoder\.[^.]+\.embedding\.weight$"  # the name that PEFT gives to their embeddings


class Method:
    """The contract of a row.

    Attributes:
        config: the method's configuration, as ``peft.Class``.
        arguments: the names that ``llm.adapter.args`` may hold of the configuration's, each with the kind of its value
            in words: ``integer``, ``number``, ``boolean``, ``text``, ``modules`` (a regular expression, or a list of
            names), ``mapping``, ``true`` or ``one of a, b``; numbers with bounds (``integer >= 1``); in front
            ``list of``, ``pair of`` or ``one or more``, at the end ``or null``. Where it is left out, PEFT judges.
        defaults: of arguments, where they are not to be PEFT's.
        merges: whether the adapter can be put into the weights of the base model.
        alike: arguments that an adapter has to share with one that training starts from.
        normal: trainable parameters that PEFT draws from a normal distribution: a regular expression for names, and the
            standard deviation.
        uniform: those that PEFT draws uniformly within 1 / sqrt(fan in), as layers of torch are.
        constant: those that it sets to a number that half precision rounds.
        freezes: arguments of ours, which leave parameters at their initial values: a regular expression for names.

    What PEFT draws besides comes from torch's generator, seeded by the run's seed: the same where torch is the same.
    """

    config: ClassVar[str]
    arguments: ClassVar[Mapping[str, str] | None] = None
    defaults: ClassVar[Mapping[str, Any]] = {}
    merges: ClassVar[bool] = False
    alike: ClassVar[Sequence[str]] = ()
    normal: ClassVar[Mapping[str, float]] = {}
    uniform: ClassVar[Sequence[str]] = ()
    constant: ClassVar[Mapping[str, float]] = {}
    freezes: ClassVar[Mapping[str, str]] = {}


registry: Registry[type[Method]] = Registry(
    "method of PEFT", __name__, needs=("config", *(name for name in vars(Method) if not name.startswith("_")))
)
register = registry.register
