"""Fuzz what reads ledgers and messages with atheris (coverage-guided, libFuzzer).

python scripts/fuzz_ledger.py [-runs=N] [-max_total_time=SECONDS] [further flags of libFuzzer] [FILE or FOLDER ...]

Whatever the bytes, reading them ends in a record or in MalformedError, and what is read has one form: it packs to the
same bytes again. Anything else is a finding: libFuzzer prints it and leaves its input in the working folder.

atheris is no dependency of the project. To have it without changing the project's environment::

    python3 -m venv .venv-fuzz && .venv-fuzz/bin/pip install atheris
    PYTHONPATH=.:.venv/lib/python3.11/site-packages .venv-fuzz/bin/python scripts/fuzz_ledger.py -runs=1000000

Exit code: 0 no findings; 3 atheris is not installed; libFuzzer's own (77) after a finding.
"""

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LONGEST = 1024  # bytes of an input; a record of a few clients has about 200


def load_atheris() -> Any:
    """Return the fuzzer; exit with code 3 where it is not installed."""
    try:
        return importlib.import_module("atheris")
    except ImportError as error:
        print(f"atheris cannot be imported ({error}): see the first lines of {__file__}", file=sys.stderr)
        sys.exit(3)


def entry_points() -> list[Callable[[bytes], None]]:
    """Return what is fuzzed, each a function of arbitrary bytes; the first byte of an input chooses among them."""
    from fedmezo.federation.messages import Message, unpack_answer, unpack_order
    from fedmezo.ledger.codec import FORMS

    def body(kind: int) -> Callable[[bytes], None]:
        return lambda data: check_body(kind, data)

    def messages(data: bytes) -> None:
        unpack_answer(Message(data))

    def orders(data: bytes) -> None:
        unpack_order(Message(data))

    return [check_file, check_sealed, messages, orders, *map(body, (*FORMS, max(FORMS) + 1))]


def check_body(kind: int, data: bytes) -> None:
    """Read a record; it has one form only."""
    from fedmezo.ledger.codec import pack, unpack

    assert pack(unpack(kind, data)) == (kind, data), "a record that was read packs to other bytes"


def check_file(data: bytes) -> None:
    """Read a ledger; sealing what was found gives the bytes that were read."""
    from fedmezo.ledger.chain import PREAMBLE, first_chain, sealed, walk

    found = walk(data)
    again, chain = PREAMBLE if found.links else b"", first_chain()
    for link in found.links:
        frame, chain = sealed(link.record, chain)
        again += frame
    assert again == data[: found.end], "records that were not in the bytes"
    assert found.fault or found.end == len(data) or data == PREAMBLE, "bytes that nobody read"


def check_sealed(data: bytes) -> None:
    """Read a ledger whose frames have the right checksum and chain, whatever their bodies are."""
    check_file(sealed_again(data))


def sealed_again(data: bytes) -> bytes:
    """Return a ledger of frames of (kind, one byte of length, body), as often as the bytes hold them."""
    import hashlib
    import zlib

    from fedmezo.ledger.chain import PREAMBLE, first_chain

    found, chain, at = PREAMBLE, first_chain(), 0
    while at + 2 <= len(data):
        body = data[at + 2 : at + 2 + data[at + 1]]
        covered = len(body).to_bytes(4, "little") + data[at : at + 1] + body
        chain = hashlib.blake2b(chain + covered, digest_size=16).digest()
        found += covered + zlib.crc32(covered).to_bytes(4, "little") + chain
        at += 2 + len(body)
    return found


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: something valid for every entry point."""
    from fedmezo.ledger.chain import PREAMBLE, first_chain, sealed
    from fedmezo.ledger.codec import pack

    records = valid_records()
    data, chain = PREAMBLE, first_chain()
    for record in records:
        frame, chain = sealed(record, chain)
        data += frame
    yield b"\x00" + data
    bodies = [pack(record) for record in records]
    yield b"\x01" + b"".join(bytes([kind, len(body)]) + body for kind, body in bodies)
    yield from (b"\x02" + message for message in valid_answers())
    yield from (b"\x03" + message for message in valid_orders())
    yield from (bytes([3 + kind]) + body for kind, body in bodies)


def valid_records() -> list[Any]:
    """Return records of every kind, in an order that a ledger may have."""
    import numpy as np

    from fedmezo.ledger.codec import HASHES
    from fedmezo.ledger.records import (
        ClientRecord,
        EvaluationRecord,
        HashRecord,
        Header,
        Measured,
        Rejection,
        RoundRecord,
        StopRecord,
    )

    failed = np.array([[True, False], [False, False]])
    gradients = np.array([[0.0, 2.0], [-0.0, 0.5]], dtype=np.float32)
    clients = (
        ClientRecord(0, 0.1, 4, 4, 1.5, gradients=gradients),
        ClientRecord(3, 0.2, 3, 4, float("nan"), 1, gradients=gradients, failed=failed, update_distance=0.5),
    )
    old = {
        "loss": Measured(2.5, False, {"0": 1.5}, {"farm": 2.5}),
        "accuracy": Measured(0.5, True),
        "exact_match": Measured(float("nan"), True),
    }
    new = old | {"accuracy": Measured(0.5, True, {"0": 0.5}, {}), "other": Measured(1.0, False, {"0": 1.0}, {})}
    return [
        Header(dict.fromkeys(HASHES, bytes(16)), 3, {"seed": 0, "zo.mu": 1e-3}),
        EvaluationRecord(0, {"val": old, "test": {"loss": Measured(float("nan"))}}),
        EvaluationRecord(0, {"val": new | {"more": Measured(2.0, True)}}),
        RoundRecord(0, clients, (Rejection(1, "malformed"),)),
        RoundRecord(1, (ClientRecord(0, 0.1, 4, 4, 1.5),), digest=bytes(16)),
        HashRecord(2, bytes(16)),
        StopRecord(2, 1),
    ]


def valid_answers() -> Iterator[bytes]:
    """Yield messages of clients."""
    import numpy as np
    import torch

    from fedmezo.federation.messages import Task, pack_answer
    from fedmezo.training import LocalUpdate

    task, gradients = Task(2, 1, 0.1, 2), np.array([[0.0, 2.0], [-0.0, 0.5]], dtype=np.float32)
    for update in (
        LocalUpdate(1.5, 4, 0, gradients=gradients),
        LocalUpdate(1.5, 4, 1, gradients=gradients, failed=((0, 0),)),
        LocalUpdate(1.5, 4, 0, point=torch.ones(3)),
        LocalUpdate(1.5, 4, 0, point=torch.ones(3, dtype=torch.float64)),
    ):
        yield bytes(pack_answer(b"identity", task, update))


def valid_orders() -> Iterator[bytes]:
    """Yield messages of the server."""
    import torch

    from fedmezo.federation.messages import Task, pack_order

    task, a_round = Task(2, 1, 0.1, 2), valid_records()[2]
    yield bytes(pack_order(b"identity", task, 0, [a_round, a_round]))
    yield bytes(pack_order(b"identity", task, 2, (), torch.ones(3)))


def main() -> None:
    """Fuzz until libFuzzer's flags say that it is enough."""
    atheris = load_atheris()
    with atheris.instrument_imports(include=["fedmezo.ledger", "fedmezo.federation.messages"]):
        points = entry_points()
    from fedmezo.core.errors import MalformedError

    def once(data: bytes) -> None:
        with suppress(MalformedError):
            if data:
                points[data[0] % len(points)](data[1:])

    # libFuzzer ends the process, so that the folder stays, in the system's folder for such
    corpus = Path(tempfile.mkdtemp(prefix="fuzz_ledger-"))
    for number, data in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *sys.argv[1:], str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
