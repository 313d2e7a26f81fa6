"""The Hugging Face hub: whether it can be reached, what it gives, and why it does not, in a sentence."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from fedmezo.core.errors import ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.network import check_connection, within

T = TypeVar("T")

TIMEOUT = 5.0  # seconds: the hub's own clients retry for most of a minute before they give up
PATIENCE = 60.0  # seconds for an answer of a few kilobytes, retries included
WEIGHTS = (  # in the order of preference: a model in one file, or the index of several and what their names begin with
    ("model.safetensors", ()),
    ("model.safetensors.index.json", ("model-", ".safetensors")),
    ("pytorch_model.bin", ()),
    ("pytorch_model.bin.index.json", ("pytorch_model-", ".bin")),
)
BESIDE = (".json", ".model", ".txt", ".jinja")  # configuration and tokenizer


class HubError(ResourceError):
    """The hub does not give something; the message says why."""


def hub_reachable() -> bool:
    """Return whether the hub answers; False too where offline mode is on (``HF_HUB_OFFLINE``).

    Raises:
        ConfigurationError: a proxy of the environment is no address.
    """
    return not why_unreachable()


@lru_cache(maxsize=1)
def why_unreachable() -> str:
    """Return why the hub does not answer, found out by one short request; empty if it does."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    check_connection()
    try:
        asked(lambda: get_session().head(constants.ENDPOINT, timeout=TIMEOUT), 2 * TIMEOUT)
    except HubError as error:
        return f"{constants.ENDPOINT} cannot be reached: {error}"
    return ""


def asked(work: Callable[[], T], seconds: float | None) -> T:
    """Return what a library gets from the hub.

    Raises:
        HubError: it gets nothing, or not in time; the message is a sentence.
    """
    try:
        return within(seconds, work)
    except Exception as error:  # those of the libraries and of the network have no root in common
        raise HubError(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Return what an error of the hub, the network or the disk says, in a sentence for a user."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    match error:
        case GatedRepoError():
            return "access to it is restricted: ask for it on its page, and set HF_TOKEN to a token of that account"
        case RepositoryNotFoundError():
            return "it is not there, or it is private and HF_TOKEN is no token that may read it"
        case HfHubHTTPError(response=response):
            refused = ": HF_TOKEN is refused, or may not read this" if response.status_code in (401, 403) else ""
            return f"it answers {response.status_code} {response.reason_phrase}{refused}"
        case TimeoutError():
            return "no answer in time"
        case OSError(filename=str(path), strerror=str(reason)):
            return f"{path}: {reason}"
    return " ".join(str(error).split()) or type(error).__name__


def check_dataset(name: str) -> None:
    """Make sure that the hub has a dataset, and is a hub: the ``datasets`` library waits long for what is none.

    Raises:
        HubError: it has not, or is none.
    """
    from huggingface_hub import HfApi

    asked(lambda: HfApi().dataset_info(name, timeout=TIMEOUT), PATIENCE)


def model_folder(name: str) -> Path:
    """Return the folder of a model of the hub: downloaded, or of an earlier download where the hub does not answer.

    Weights are those in safetensors format; where there are none, ``pytorch_model.bin``.

    Raises:
        ConfigurationError: a proxy of the environment is no address.
        HubError: it cannot be had.
    """
    from huggingface_hub import try_to_load_from_cache

    reason = why_unreachable()
    try:
        if not reason:
            return _download(name)
    except HubError as error:
        reason = str(error)
    earlier = asked(lambda: try_to_load_from_cache(name, "config.json"), None)
    if not isinstance(earlier, str):
        raise HubError(reason)
    LOG.info(f"{name}: an earlier download is used ({reason})")
    return Path(earlier).parent


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    info = asked(lambda: HfApi().model_info(name, timeout=TIMEOUT), PATIENCE)
    files = needed([file.rfilename for file in info.siblings or ()])
    return Path(asked(lambda: snapshot_download(name, allow_patterns=files), None))


def needed(files: Sequence[str]) -> list[str]:
    """Return those files of a model that it is loaded from: its weights in one format, and all that is small."""
    weights: list[str] = []
    for first, ends in WEIGHTS:
        if first in files:
            weights = [first, *(file for file in files if ends and file.startswith(ends[0]) and file.endswith(ends[1]))]
            break
    beside = [file for file in files if file.endswith(BESIDE) and not file.endswith(".index.json")]
    return [*weights, *(file for file in beside if "/" not in file or file.startswith("additional_chat_templates/"))]
