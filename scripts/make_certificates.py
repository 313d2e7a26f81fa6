"""Make the certificates and keys of a federation: one authority, one certificate for the SuperLink, one key a node.

python scripts/make_certificates.py FOLDER --nodes 3 [--host federation.example.org] [--days 365]

Writes into a new folder::

    ca.crt                  for everybody: --root-certificates, engine.root_certificates
    ca.key                  signs; keep it offline, and it alone makes further certificates
    server.pem, server.key  for the SuperLink: --ssl-certfile, --ssl-keyfile
    secret                  for SuperLink and server: --superexec-auth-secret-file, engine.secret
    node0, node0.pub, ...   of each node: fedmezo-node --key node0; flwr supernode register node0.pub; engine.keys

Private files can be read by their owner only. The certificate names ``--host`` (several may be given), localhost and
127.0.0.1: nodes must reach the SuperLink by one of these names.
"""

import argparse
import ipaddress
import os
import re
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fedmezo.core.process import run_program

LOOPBACK = ("localhost", "127.0.0.1")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="how many keys (default 3)")
    parser.add_argument("--host", action="append", type=_host, default=[], help="name or address of the SuperLink")
    parser.add_argument("--days", type=int, default=365, help="until certificates expire (default 365)")
    options = parser.parse_args(arguments)
    if options.nodes < 1 or options.days < 1:
        parser.error("--nodes and --days must be at least 1")
    try:
        options.folder.mkdir(parents=True)
    except OSError as error:
        print(f"make_certificates: {options.folder}: {error.strerror}; nothing was written", file=sys.stderr)
        return 2
    make_authority(options.folder, [*dict.fromkeys([*options.host, *LOOPBACK])], options.days)
    for node in range(options.nodes):
        make_node_key(options.folder / f"node{node}")
    write_private(options.folder / "secret", secrets.token_hex(32).encode())
    print(f"{options.folder}: authority, server certificate, secret, {options.nodes} node keys")
    return 0


def make_authority(folder: Path, hosts: list[str], days: int) -> None:
    """Write the authority's and the server's certificates and keys."""
    authority, server = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federation authority")])
    signing = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    own = (
        _certificate(name, name, authority.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signing, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federation server")])
    servers = (
        _certificate(subject, name, server.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    for path, builder in (("ca.crt", own), ("server.pem", servers)):
        (folder / path).write_bytes(builder.sign(authority, hashes.SHA384()).public_bytes(Encoding.PEM))
    for path, key in (("ca.key", authority), ("server.key", server)):
        write_private(folder / path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def make_node_key(path: Path) -> None:
    """Write a node's key pair, as OpenSSH writes them."""
    key = ec.generate_private_key(ec.SECP384R1())
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _host(text: str) -> str:
    """Return a name or an address that can stand in a certificate."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(text))
    if not re.fullmatch(rf"{LABEL}(\.{LABEL})*", text, re.IGNORECASE | re.ASCII):
        raise argparse.ArgumentTypeError(f"expected the name of a host (in ASCII) or an address, not {text!r}")
    return text.lower()


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


if __name__ == "__main__":
    sys.exit(run_program(main))
