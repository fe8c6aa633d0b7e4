"""Signatures, without I/O and without a clock: Standard Webhooks and EIP-191.

Sources: https://www.standardwebhooks.com (specification 1.0.0), https://eips.ethereum.org/EIPS/eip-191.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import coincurve
from Crypto.Hash import keccak
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET_PREFIX, PUBLIC_PREFIX = "whsec_", "whpk_"
_SECRET_BYTES = range(24, 65)
_ED25519_BYTES = 32
_RECOVERABLE_BYTES = 65
_MAX_ID_CHARACTERS = 256
_MAX_SIGNATURES = 16
_MAX_TIMESTAMP_DIGITS = 12


class InvalidSignatureError(Exception):
    """Anything wrong with a signature; its message is for the operator alone."""


class InvalidKeyError(ValueError):
    """A configured key is malformed; the message never contains it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that signatures are verified with; several at once so that keys can rotate."""

    secrets: tuple[bytes, ...] = ()
    public_keys: tuple[Ed25519PublicKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A verified message: the sender's idempotency key and clock.

    Attributes:
        id: The `webhook-id`.
        timestamp: Unix seconds.
        key: A fingerprint of the key that signed.
    """

    id: str
    timestamp: int
    key: str = field(default="", compare=False)

    @property
    def idempotency_key(self) -> str:
        """The name under which every endpoint binds the message."""
        return f"webhook:{self.id}"


def parse_keys(secrets: Iterable[str], public_keys: Iterable[str]) -> Keys:
    """Read `whsec_<base64>` secrets (24 to 64 bytes) and `whpk_<base64>` Ed25519 public keys.

    Raises:
        InvalidKeyError: A key is malformed; the message names its position.
    """
    return Keys(
        tuple(_secret(text, position) for position, text in enumerate(secrets)),
        tuple(_public_key(text, position) for position, text in enumerate(public_keys)),
    )


def _secret(text: str, position: int) -> bytes:
    raw = _decoded(text, SECRET_PREFIX)
    if raw is None or len(raw) not in _SECRET_BYTES:
        raise InvalidKeyError(f"Secrets[{position}] is not whsec_<base64 of 24 to 64 bytes>")
    return raw


def _public_key(text: str, position: int) -> Ed25519PublicKey:
    raw = _decoded(text, PUBLIC_PREFIX)
    if raw is None or len(raw) != _ED25519_BYTES:
        raise InvalidKeyError(f"PublicKeys[{position}] is not whpk_<base64 of 32 bytes>")
    return Ed25519PublicKey.from_public_bytes(raw)


def _decoded(text: str, prefix: str) -> bytes | None:
    if not text.startswith(prefix):
        return None
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        return None


def verify(
    headers: Mapping[str, str], body: bytes, keys: Keys, *, now: float, tolerance_seconds: int
) -> Message:
    """Check a Standard Webhooks signature over the raw body.

    Args:
        headers: With lower-case names: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
        body: The raw bytes.
        keys: One of them has to match one of the signatures.
        now: Unix seconds.
        tolerance_seconds: The most that the timestamp may differ from `now`, either way.

    Raises:
        InvalidSignatureError: Anything is missing, malformed, too old, too new or does not match.
    """
    message = _message(headers, now=now, tolerance_seconds=tolerance_seconds)
    content = b"%s.%d.%s" % (message.id.encode(), message.timestamp, body)
    signatures = headers.get("webhook-signature", "").split(" ")
    if len(signatures) > _MAX_SIGNATURES:
        raise InvalidSignatureError("too many signatures")
    expected = [hmac.digest(secret, content, hashlib.sha256) for secret in keys.secrets]
    for version, signature in _candidates(signatures):
        if version == "v1":
            for secret, digest in zip(keys.secrets, expected, strict=True):
                if hmac.compare_digest(signature, digest):
                    return replace(message, key=_name(secret))
        if version == "v1a":
            for key in keys.public_keys:
                if _matches(key, signature, content):
                    return replace(message, key=_name(key.public_bytes_raw()))
    raise InvalidSignatureError("no signature matches any configured key")


def _name(key: bytes) -> str:
    return hashlib.sha256(b"the name of " + key).hexdigest()[:32]


def _message(headers: Mapping[str, str], *, now: float, tolerance_seconds: int) -> Message:
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not headers.get("webhook-signature"):
        raise InvalidSignatureError("unsigned: webhook-id or webhook-signature is missing")
    if len(message_id) > _MAX_ID_CHARACTERS or not message_id.isascii():
        raise InvalidSignatureError("webhook-id is too long or not ASCII")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MAX_TIMESTAMP_DIGITS):
        raise InvalidSignatureError("webhook-timestamp is not in Unix seconds")
    if abs(now - int(stamp)) > tolerance_seconds:
        raise InvalidSignatureError("webhook-timestamp is outside the tolerance")
    if str(int(stamp)) != stamp:
        raise InvalidSignatureError("webhook-timestamp has leading zeros")
    return Message(message_id, int(stamp))


def _candidates(signatures: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    for signature in signatures:
        version, _, encoded = signature.partition(",")
        try:
            yield version, base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue


def _matches(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def sign(*keys: Ed25519PrivateKey, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three Standard Webhooks headers with a `v1a` signature of each key."""
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    signatures = (base64.b64encode(key.sign(content)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1a,{signature}" for signature in signatures),
    }


def public_text(key: Ed25519PublicKey) -> str:
    """Return a public key as `whpk_<base64>`, the form that configurations take."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PUBLIC_PREFIX + base64.b64encode(raw).decode()


def address(public_key: coincurve.PublicKey) -> str:
    """Return the EVM address of a key: the last 20 bytes of its keccak-256, lower case."""
    uncompressed = public_key.format(compressed=False)[1:]
    return "0x" + _keccak(uncompressed)[-20:].hex()


def signer(message: str, signature: str) -> str:
    """Return the EVM address (lower case) that signed `message` as EIP-191 `personal_sign`.

    Args:
        message: The text that was signed.
        signature: 65 bytes as `0x` hex: r, s, v with v 0, 1, 27 or 28.

    Raises:
        InvalidSignatureError: The signature is malformed, has a high s (a second spelling of the
            same signature, EIP-2), or no key can have made it.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise InvalidSignatureError("the signature is not hex") from None
    if len(raw) != _RECOVERABLE_BYTES or raw[64] not in (0, 1, 27, 28):
        raise InvalidSignatureError("the signature is not 65 bytes with v 0, 1, 27 or 28")
    if int.from_bytes(raw[32:64]) > _HALF_ORDER:
        raise InvalidSignatureError("the signature has a high s")
    recoverable = raw[:64] + bytes([raw[64] % 27])
    try:
        return address(
            coincurve.PublicKey.from_signature_and_message(
                recoverable, personal_digest(message), hasher=None
            )
        )
    except ValueError:
        raise InvalidSignatureError("no key can have made the signature") from None


_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def personal_digest(message: str) -> bytes:
    """Return the 32 bytes that `personal_sign` signs (EIP-191, version `E`)."""
    text = message.encode()
    return _keccak(b"\x19Ethereum Signed Message:\n%d%s" % (len(text), text))


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()
