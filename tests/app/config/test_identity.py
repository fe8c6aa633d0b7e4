"""The provider's key: made once, kept private, read as v0.3.0 wrote it."""

import multiprocessing
from pathlib import Path

import pytest
from eth_account import Account

from app.config import identity
from app.errors import ConfigError


def test_made_once_and_private(tmp_path: Path) -> None:
    """The first use makes a key that only its owner can read; the next one finds it."""
    folder = tmp_path / "new" / "provider"
    first, again = identity.load(folder), identity.load(folder)
    assert first.secret == again.secret
    assert (folder / "private_key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["private_key"]


def test_names_as_ethereum_has_them(tmp_path: Path) -> None:
    """Node id and address are those that others derive from the key."""
    provider = identity.load(tmp_path)
    account = Account.from_key(provider.secret)
    assert provider.address == account.address.lower()
    assert provider.node_id.startswith("04")
    assert len(provider.node_id) == 130
    assert bytes.fromhex(provider.node_id)[1:] == bytes.fromhex(provider.node_id[2:])


@pytest.mark.parametrize(
    "content", [bytes(range(1, 33)), bytes(range(1, 33)).hex().encode(), b"0x" + b"11" * 32 + b"\n"]
)
def test_forms(tmp_path: Path, content: bytes) -> None:
    """Raw bytes and hex digits are both read."""
    (tmp_path / "private_key").write_bytes(content)
    assert len(identity.load(tmp_path).secret) == 32


@pytest.mark.parametrize("content", [b"", b"x", bytes(32), b"\xff" * 32, b"z" * 64, b"1" * 1000])
def test_no_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    """A file that holds no key is an error that does not show it, and stays as it is."""
    path = tmp_path / "private_key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="holds no secp256k1 key"):
        identity.load(tmp_path)
    assert path.read_bytes() == content


def test_readable_keys_are_made_private(tmp_path: Path) -> None:
    """v0.3.0 wrote the key for everyone to read."""
    path = tmp_path / "private_key"
    path.write_bytes(bytes(range(1, 33)))
    path.chmod(0o644)
    identity.load(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_away(tmp_path: Path) -> None:
    """A key that cannot be read is an error that names the file."""
    (tmp_path / "private_key").mkdir()
    with pytest.raises(ConfigError, match="private_key"):
        identity.load(tmp_path)


def _load(folder: Path) -> bytes:
    return identity.load(folder).secret


def test_processes_that_start_at_once_share_it(tmp_path: Path) -> None:
    """However many make the key at the same time, one is made, and nothing is left beside it."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_load, [tmp_path] * 16, chunksize=1))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["private_key"]


def test_derived_keys(tmp_path: Path) -> None:
    """Every purpose has a key of its own, the same after a restart, and none shows the secret."""
    first, again = identity.load(tmp_path), identity.load(tmp_path)
    assert first.derive("a") == again.derive("a") != first.derive("b")
    assert first.signing_key.private_bytes_raw() == again.signing_key.private_bytes_raw()
    assert first.secret not in {first.derive("a"), first.signing_key.private_bytes_raw()}
    assert first.secret.hex() not in repr(first)
    assert str(first.secret) not in repr(first)
