"""Identity of the provider: a secp256k1 key in `$CP_PATH/private_key`, and keys derived from it."""

import contextlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import coincurve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.config import atomic_files
from app.errors import ConfigError
from app.net import signatures

_KEY_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """The provider's key, node id, address and signing keys."""

    secret: bytes = field(repr=False)

    @cached_property
    def _key(self) -> coincurve.PrivateKey:
        return coincurve.PrivateKey(self.secret)

    @cached_property
    def node_id(self) -> str:
        """The uncompressed public key in hexadecimal: 130 digits, starting with `04`."""
        return str(self._key.public_key.format(compressed=False).hex())

    @cached_property
    def address(self) -> str:
        """The EVM address, `0x…` in lower case."""
        return signatures.address(self._key.public_key)

    @cached_property
    def signing_key(self) -> Ed25519PrivateKey:
        """The first key that signs callbacks."""
        return self.callback_key(1)

    def callback_key(self, number: int) -> Ed25519PrivateKey:
        """Derive a key that signs callbacks; replicas share it without a second file."""
        purpose = "callbacks" if number == 1 else f"callbacks {number}"
        return Ed25519PrivateKey.from_private_bytes(self.derive(purpose))

    def derive(self, purpose: str) -> bytes:
        """Derive 32 bytes for one purpose, which reveal nothing of the key (HKDF, RFC 5869)."""
        info = f"computing-provider {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(self.secret)


def load(folder: Path) -> Identity:
    """Load the key of this folder, creating it (mode 0600) on first use.

    The file holds 32 raw bytes as v0.3.0 wrote them; 64 hexadecimal digits are accepted too.

    Raises:
        ConfigError: The file cannot be read or created, or holds no key.
    """
    path = folder / "private_key"
    try:
        secret = _read(path)
        if secret is None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic_files.create(path, coincurve.PrivateKey().secret)
            secret = _read(path)
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; the provider's key has to be there"
        ) from error
    return Identity(_parse(secret or b"", path))


def rotate(folder: Path, *, backup: Path) -> Identity:
    """Replace the key of this folder with a new one; the old one is kept at `backup`.

    Raises:
        ConfigError: The key is missing or cannot be replaced. It stays as it was.
    """
    load(folder)
    path = (folder / "private_key").resolve()
    try:
        atomic_files.replace(path, coincurve.PrivateKey().secret, backup=backup)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; the key stays as it was") from error
    return load(folder)


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            # A mounted Secret is read-only, and private by its pod.
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, 0o600)
        return file.read(4 * _KEY_BYTES)


def _parse(content: bytes, path: Path) -> bytes:
    secret = content
    if len(content) != _KEY_BYTES:
        with contextlib.suppress(ValueError, UnicodeDecodeError):
            secret = bytes.fromhex(content.decode().strip().removeprefix("0x"))
    try:
        return (
            bytes(coincurve.PrivateKey(secret).secret)
            if len(secret) == _KEY_BYTES
            else _refuse(path)
        )
    except ValueError:
        return _refuse(path)


def _refuse(path: Path) -> bytes:
    raise ConfigError(
        f"{path}: holds no secp256k1 key; restore it, or move it away to get a new one"
    )
