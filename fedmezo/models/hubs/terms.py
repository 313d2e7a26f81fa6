"""Models whose use is under terms that a user has to accept: none of them is fetched or loaded before."""

from collections.abc import Sequence
from typing import NamedTuple

from fedmezo.core.errors import ConfigurationError


class Terms(NamedTuple):
    """Terms of use.

    Attributes:
        name: by which ``llm.accept_terms`` accepts them.
        title: of the document.
        url: where it is.
    """

    name: str
    title: str
    url: str


GEMMA = Terms("gemma", "Gemma Terms of Use", "https://ai.google.dev/gemma/terms")
TERMS = {"gemma-3-270m@package_llm": GEMMA}  # by model.type


def check_terms(model_type: str, accepted: Sequence[str]) -> None:
    """Make sure that the terms of a model are accepted, if it has some.

    Args:
        model_type: ``NAME@HUB``.
        accepted: names of terms.

    Raises:
        ConfigurationError: they are not; the message names them, and the key that accepts them.
    """
    terms = TERMS.get(model_type)
    if terms is not None and terms.name not in accepted:
        raise ConfigurationError(
            f"model.type = {model_type}\n    it may be used under the {terms.title}: read them at {terms.url}, "
            f"and if you accept them, set llm.accept_terms [{', '.join([*accepted, terms.name])}]"
        )
