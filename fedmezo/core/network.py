"""What goes wrong with a network: variables of the environment that make no sense, and libraries that wait for ever."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from fedmezo.core.errors import ConfigurationError

T = TypeVar("T")

NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_DATASETS_IN_MEMORY_MAX_SIZE")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
PROXY_SCHEMES = ("http", "https", "socks4", "socks5", "socks5h")


def check_hub_variables() -> None:
    """Make sure that the hub's libraries can read their variables, which some do when they are imported.

    An empty address counts as unset.

    Raises:
        ConfigurationError: an address or a number is none.
    """
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint:
        check_address("HF_ENDPOINT", endpoint, ("https", "http"))
    elif endpoint is not None:
        del os.environ["HF_ENDPOINT"]
    for name in NUMBERS:
        value = os.environ.get(name, "")
        if value and not value.isdecimal():
            raise _senseless(name, value, "a whole number")
    token = os.environ.get("HF_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise _senseless("HF_TOKEN", "...", "a token as the hub gives it: letters and digits, no spaces")


def check_connection() -> None:
    """Make sure that the proxies of the environment are addresses, and its file of certificates is there.

    Raises:
        ConfigurationError: one is not.
    """
    certificates = os.environ.get("SSL_CERT_FILE", "")
    if certificates and not Path(certificates).is_file():
        raise _senseless("SSL_CERT_FILE", certificates, "a file of certificates; there is none")
    for name, value in os.environ.items():
        if name.lower() in PROXIES and value:
            check_address(name, value, PROXY_SCHEMES, prefix="" if "://" in value else "http://")


def check_address(name: str, value: str, schemes: tuple[str, ...], prefix: str = "") -> None:
    """Make sure that a variable of the environment is, after the prefix, the address of a machine.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        parts = urlsplit(prefix + value)
        sound = parts.scheme in schemes and parts.hostname and parts.port != 0 and not any(map(str.isspace, value))
    except ValueError:  # the port is no number, brackets do not match
        sound = False
    if not sound:
        raise _senseless(name, value, f"an address, {schemes[0]}://HOST or {schemes[0]}://HOST:PORT")


def _senseless(name: str, value: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} = {value}\n    (a variable of the environment) expected {expected}; correct it, or unset {name}"
    )


def within(seconds: float | None, work: Callable[[], T]) -> T:
    """Return what ``work`` does; it runs in a thread that nobody waits for any longer than this.

    Raises:
        TimeoutError: it took longer. A time limit of a socket is none: a byte now and then keeps it from running out.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(seconds)
