"""A source distribution of own writing, in the form of that of vaderSentiment."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fedmezo.data.sources.vader_sentiment import DISTRIBUTION, DOMAINS, INNER

Lines = Mapping[str, Sequence[str]]  # by domain: name, rating and text, with tabs between them
WORDS = {"movies": "film", "products": "thing", "editorials": "law", "tweets": "day"}
MADE: Lines = {
    domain: [
        f"{number}_{part}\t{rating}\tA {kind} {word} of {number} {part} &amp; more"
        for number in range(12)
        for part in range(2)
        for rating, kind in ((-2.5, "poor"), (2.25, "fine"), (0.3, "plain"))
    ]
    for domain, word in WORDS.items()
}


def packed(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def write_distribution(folder: Path, lines: Lines = MADE, further: Mapping[str, bytes] | None = None) -> Path:
    """Write the distribution, with further files in its inner archive, and return its path."""
    texts = {
        f"hutto_ICWSM_2014/{stem}_GroundTruth.txt": b"\xef\xbb\xbf" * (domain == "movies")
        + "\r\n".join(lines[domain]).encode()
        for domain, stem in DOMAINS.items()
    }
    setup = {"vaderSentiment-3.3.2/setup.py": b"raise SystemExit('executed')"}
    path = folder / DISTRIBUTION.name
    path.write_bytes(packed({INNER: packed({**texts, **(further or {})}), **setup}))
    return path
