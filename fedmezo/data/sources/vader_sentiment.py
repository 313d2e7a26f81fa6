"""Texts of four domains with their sentiment as people rate it, from a package of PyPI.

The source distribution of vaderSentiment 3.3.2 (MIT) holds the data of Hutto and Gilbert 2014: texts with the mean of
twenty ratings from -4 to 4. It is read as an archive, never installed: nothing in it is executed. (pip runs the setup
script of a source distribution even when it only downloads it, so that this is a plain download.)
"""

import hashlib
import html
import unicodedata
from pathlib import Path

from fedmezo.core.errors import ResourceError
from fedmezo.data.archive import read_members
from fedmezo.data.download import DownloadError, WebFile, fetch
from fedmezo.data.sources.rows import Row
from fedmezo.data.sources.source import Request

DISTRIBUTION = WebFile(
    "vaderSentiment-3.3.2.tar.gz",
    "https://files.pythonhosted.org/packages/77/8c/"
    "4a48c10a50f750ae565e341e697d74a38075a3e43ff0df6f1ab72e186902/vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
DOMAINS = {
    "movies": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "editorials": "nytEditorialSnippets",
    "tweets": "tweets",
}
HELD_OUT = 5  # one text of so many is for testing, with all that were cut from the same review or editorial


def read_sentiment(request: Request) -> tuple[list[list[Row]], str]:
    """Return the polar texts, those of training and those of the fixed test part, and where they came from.

    Raises:
        ResourceError: the archive cannot be had, is damaged, or holds no text that is polar enough.
    """
    path = _archive(request)
    inner = f"{path}/{INNER}"
    (packed,) = read_members(str(path), path.read_bytes(), [INNER])
    names = [f"hutto_ICWSM_2014/{stem}_GroundTruth.txt" for stem in DOMAINS.values()]
    parts: list[list[Row]] = [[], []]
    for domain, name, content in zip(DOMAINS, names, read_members(inner, packed, names), strict=True):
        lines = _decoded(f"{inner}/{name}", content).rstrip("\r\n").split("\n")
        for number, line in enumerate(lines, start=1):
            place = f"{inner}/{name}:{number}"
            source, rating, text = _fields(place, line)
            if abs(rating) >= request.polarity and text:
                label = "positive" if rating > 0 else "negative"
                row = Row(place, {"text": text, "label": label, "domain": domain})
                parts[_is_held_out(domain, source)].append(row)
    if not parts[0] or not parts[1]:
        raise ResourceError(f"data.polarity = {request.polarity:g}\n    no text is rated so high or so low: take less")
    return parts, str(path)


def cleaned(text: str) -> str:
    """Return a text without entities of HTML and control characters, in the composed form of Unicode, on one line.

    Examples:
        >>> cleaned("Good  food &amp;amp; wine\\x07")
        'Good food & wine'
    """
    plain = unicodedata.normalize("NFC", html.unescape(html.unescape(text)))
    visible = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in plain)
    return " ".join(visible.split())


def _archive(request: Request) -> Path:
    local = request.root / DISTRIBUTION.name
    if local.is_file():
        return local
    try:
        return fetch(DISTRIBUTION, request.downloads)
    except DownloadError as error:
        raise ResourceError(
            f"data.type = {request.name}: no local file, and {error}\n    put {DISTRIBUTION.name} into {request.root}\n"
            "    or train on generated data, which needs no download: the same command with\n"
            "        data.type arithmetic@llm"
        ) from error


def _decoded(place: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResourceError(f"{place}: not UTF-8 text (byte {error.start})") from error


def _fields(place: str, line: str) -> tuple[str, float, str]:
    """Return what a text was cut from, its rating, and the text."""
    try:
        name, rating, text = line.split("\t")
        return name.partition("_")[0], float(rating), cleaned(text)
    except ValueError as error:
        raise ResourceError(f"{place}: expected a name, a rating and a text, with tabs between them") from error


def _is_held_out(domain: str, source: str) -> bool:
    """Return whether a text is in the test part: a function of its name alone, the same on every machine."""
    return hashlib.blake2b(f"{domain} {source}".encode(), digest_size=8).digest()[0] % HELD_OUT == 0
