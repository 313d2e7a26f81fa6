"""The certificates of a federation hold what TLS clients ask of them."""

import ipaddress
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.engines.flower import public_key
from fedmezo.federation.engines.flower_internals import read_private_key
from tests.certificates import make_certificates

HOSTS = ["federation.example.org", "192.0.2.7", "localhost", "127.0.0.1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates") / "deep" / "folder"
    options = ["--nodes", "2", "--host", HOSTS[0], "--host", HOSTS[1], "--host", HOSTS[2], "--days", "30"]
    assert make_certificates(str(made), *options) == 0
    return made


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def name(host: str) -> x509.DNSName | x509.IPAddress:
    return x509.DNSName(host) if host[0].isalpha() else x509.IPAddress(ipaddress.ip_address(host))


def test_private_files_are_their_owners(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    private = {"ca.key", "server.key", "secret", "node0", "node1"}
    assert modes.keys() == private | {"ca.crt", "server.pem", "node0.pub", "node1.pub"}
    assert {each for each, mode in modes.items() if mode & 0o077 == 0} == private
    assert all(modes[each] == 0o600 for each in private)


@pytest.mark.parametrize("host", HOSTS)
def test_the_chain_verifies_for_every_name_until_it_expires(folder: Path, host: str) -> None:
    builder = PolicyBuilder().store(Store([certificate(folder / "ca.crt")]))
    server = certificate(folder / "server.pem")
    builder.build_server_verifier(name(host)).verify(server, [])
    later = builder.time(datetime.now(UTC) + timedelta(days=31))
    with pytest.raises(VerificationError):
        later.build_server_verifier(name(host)).verify(server, [])


def test_no_other_name_and_no_other_authority(folder: Path, tmp_path: Path) -> None:
    server = certificate(folder / "server.pem")
    own = PolicyBuilder().store(Store([certificate(folder / "ca.crt")]))
    with pytest.raises(VerificationError):
        own.build_server_verifier(x509.DNSName("example.org")).verify(server, [])
    assert make_certificates(str(tmp_path / "other"), "--nodes", "1") == 0
    other = PolicyBuilder().store(Store([certificate(tmp_path / "other" / "ca.crt")]))
    with pytest.raises(VerificationError):
        other.build_server_verifier(name(HOSTS[0])).verify(server, [])


def test_the_names_are_each_there_once(folder: Path) -> None:
    names = certificate(folder / "server.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [name(host) for host in HOSTS]


def test_the_server_cannot_sign(folder: Path) -> None:
    for path, authority in (("server.pem", False), ("ca.crt", True)):
        found = certificate(folder / path).extensions.get_extension_for_class(x509.BasicConstraints).value
        assert found.ca == authority


@pytest.mark.parametrize(("key", "signed"), [("ca.key", "ca.crt"), ("server.key", "server.pem")])
def test_keys_belong_to_their_certificates(folder: Path, key: str, signed: str) -> None:
    private = load_pem_private_key((folder / key).read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == certificate(folder / signed).public_key()


def test_the_nodes_keys_are_read_by_node_and_server(folder: Path) -> None:
    public = [public_key(folder / f"node{node}.pub") for node in range(2)]
    assert len(set(public)) == 2
    for node in range(2):
        private, own = read_private_key(folder / f"node{node}")
        assert own == private.public_key()
    for path in ("secret", "node0", "ca.crt"):
        with pytest.raises(ConfigurationError, match=r"engine\.keys"):
            public_key(folder / path)
    for path in ("node0.pub", "server.key"):
        with pytest.raises(ConfigurationError, match="--key"):
            read_private_key(folder / path)


def test_secrets_differ(folder: Path, tmp_path: Path) -> None:
    assert make_certificates(str(tmp_path / "other")) == 0
    secret = (folder / "secret").read_text(encoding="ascii")
    assert len(bytes.fromhex(secret)) == 32 and secret != (tmp_path / "other" / "secret").read_text(encoding="ascii")


def test_what_exists_is_left_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert make_certificates(str(folder)) == 2
    assert "File exists; nothing was written" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "file").write_text("")
    assert make_certificates(str(tmp_path / "file" / "folder")) == 2
    assert "Not a directory; nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--nodes", "0"], ["--nodes", "-1"], ["--nodes", "many"], ["--days", "0"], ["--unknown"]]
)
def test_bad_arguments_write_nothing(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_certificates(str(tmp_path / "new"), *options)
    assert caught.value.code == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("host", ["", "an address", "höhe.example", "a" * 64 + ".org"])
def test_a_name_that_is_none_writes_nothing(tmp_path: Path, host: str) -> None:
    with pytest.raises(SystemExit) as caught:
        make_certificates(str(tmp_path / "new"), "--host", host)
    assert caught.value.code == 2
    assert not (tmp_path / "new").exists()
