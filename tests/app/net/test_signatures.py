"""Signatures made by other libraries, and malformed ones."""

import base64
import contextlib
import hmac
import time
from functools import partial

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from app.net import signatures
from app.net.signatures import InvalidKeyError, InvalidSignatureError, Message
from tests.support import market

BODY = b'{"type":"job.assigned","data":{"a":"\xc3\xbc"}}'
KEYS = signatures.parse_keys((market.OLD_SECRET, market.SECRET), (market.PUBLIC_KEY,))
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def verified(headers: market.Headers, body: bytes = BODY, **given: float) -> Message:
    """Verify as the service does."""
    now = given.get("now", time.time())
    return signatures.verify(headers, body, KEYS, now=now, tolerance_seconds=300)


@pytest.mark.parametrize(
    "headers",
    [
        market.v1(BODY, name="m"),
        market.v1(BODY, name="m", secret=market.OLD_SECRET),
        market.v1a(BODY, name="m"),
    ],
    ids=["v1", "v1 older", "v1a"],
)
def test_others_signatures_hold(headers: market.Headers) -> None:
    """Signatures by `standardwebhooks` and `cryptography` are accepted, with any configured key."""
    assert verified(headers).id == "m"


def test_keys_have_names() -> None:
    """Each key has a fingerprint, the same for every message, that reveals nothing of it."""
    signers = (
        market.v1,
        partial(market.v1, secret=market.OLD_SECRET),
        market.v1a,
    )
    names = [{verified(sign(BODY)).key for _ in range(2)} for sign in signers]
    assert [len(found) for found in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3
    assert not any(name in market.SECRET for found in names for name in found)


def test_one_of_several_signatures_is_enough() -> None:
    """While keys rotate, a message carries signatures and versions that we do not know."""
    stranger = "whsec_" + base64.b64encode(b"x" * 32).decode()
    at = time.time()
    headers = market.v1(BODY, name="m", at=at)
    other = market.v1(BODY, name="m", at=at, secret=stranger)["webhook-signature"]
    headers["webhook-signature"] = f"v2,abc v1 {other} v1,=! {headers['webhook-signature']}"
    assert verified(headers).id == "m"


def test_strangers_are_refused() -> None:
    """Keys that are not configured do not sign."""
    stranger = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for headers in (
        market.v1(BODY, secret=stranger),
        market.v1a(BODY, key=Ed25519PrivateKey.generate()),
    ):
        with pytest.raises(InvalidSignatureError):
            verified(headers)


@pytest.mark.parametrize("sign", [market.v1, market.v1a])
def test_every_byte_counts(sign: type) -> None:
    """No byte of the body can be changed, dropped or added."""
    headers = sign(BODY)
    for position in range(len(BODY)):
        changed = bytearray(BODY)
        changed[position] ^= 1
        for body in (bytes(changed), BODY[:position] + BODY[position + 1 :]):
            with pytest.raises(InvalidSignatureError):
                verified(headers, body)
    with pytest.raises(InvalidSignatureError):
        verified(headers, BODY + b" ")


@pytest.mark.parametrize("sign", [market.v1, market.v1a])
@pytest.mark.parametrize("name", NAMES)
def test_every_character_of_the_headers_counts(sign: type, name: str) -> None:
    """No character of the three headers can be changed, and none of them left out."""
    headers = sign(BODY)
    value = headers[name]
    # The last character of base64 has bits that mean nothing.
    meaningful = value.rstrip("=")[:-1] if name == "webhook-signature" else value
    for position, character in enumerate(meaningful):
        changed = value[:position] + ("1" if character == "0" else "0") + value[position + 1 :]
        with pytest.raises(InvalidSignatureError):
            verified(headers | {name: changed})
    for wrong in ("", value + "0", value.replace(",", "") + "0"):
        with pytest.raises(InvalidSignatureError):
            verified(headers | {name: wrong})
    with pytest.raises(InvalidSignatureError):
        verified({other: headers[other] for other in NAMES if other != name})


@pytest.mark.parametrize(("age", "holds"), [(0, True), (300, True), (301, False), (86400, False)])
@pytest.mark.parametrize("direction", [1, -1])
def test_tolerance(age: int, holds: bool, direction: int) -> None:  # noqa: FBT001 - a table's column.
    """A message is good for five minutes, whichever clock is ahead."""
    now = 1_800_000_000
    headers = market.v1(BODY, at=now - direction * age)
    if holds:
        assert verified(headers, now=now).timestamp == now - direction * age
        return
    with pytest.raises(InvalidSignatureError):
        verified(headers, now=now)


@pytest.mark.parametrize(
    "stamp", ["1800000000.0", "+1800000000", " 1800000000", "01800000000", "1e9", "١٨", "9" * 400]
)
def test_timestamps_are_plain_numbers(stamp: str) -> None:
    """A timestamp has one spelling, whatever it was signed as."""
    key = base64.b64decode(market.SECRET.removeprefix("whsec_"))
    headers = market.v1(BODY, name="m", at=1_800_000_000)
    content = f"m.{stamp}.".encode() + BODY
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    headers |= {"webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    with pytest.raises(InvalidSignatureError):
        verified(headers, now=1_800_000_000)


def test_too_many_signatures_are_not_tried() -> None:
    """A header full of signatures costs nothing."""
    headers = market.v1(BODY)
    headers["webhook-signature"] = " ".join(["v1,AAAA"] * 16 + [headers["webhook-signature"]])
    with pytest.raises(InvalidSignatureError, match="too many"):
        verified(headers)


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=80)),
    body=st.binary(max_size=9),
)
def test_nothing_else_is_raised(headers: market.Headers, body: bytes) -> None:
    """Any malformed header raises the one error."""
    with pytest.raises(InvalidSignatureError):
        verified(headers, body)


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "secret", "whsec_%%%", "whsec_c2hvcnQ=", "whpk_" + market.SECRET[6:], "whsec_ü"],
)
def test_malformed_secrets(text: str) -> None:
    """A malformed secret is named by its position, never by its value."""
    with pytest.raises(InvalidKeyError) as caught:
        signatures.parse_keys((market.SECRET, text), ())
    assert "Secrets[1]" in str(caught.value)
    assert text.removeprefix("whsec_") in {"", "secret"} or text not in str(caught.value)


def test_malformed_public_keys() -> None:
    """A public key has 32 bytes."""
    with pytest.raises(InvalidKeyError, match=r"PublicKeys\[0\]"):
        signatures.parse_keys((), ("whpk_AAAA",))


def test_our_signatures_hold_elsewhere() -> None:
    """Our signatures verify under the public key as we print it."""
    key = Ed25519PrivateKey.generate()
    headers = signatures.sign(key, message_id="m", timestamp=5, body=BODY)
    raw = base64.b64decode(headers["webhook-signature"].removeprefix("v1a,"))
    key.public_key().verify(raw, b"m.5." + BODY)
    assert signatures.parse_keys((), (signatures.public_text(key.public_key()),)).public_keys


@pytest.mark.parametrize("text", ["", "hello", "0xAA04ff" * 40, "snø"])
def test_eip191_by_eth_account(text: str) -> None:
    """The signer of `personal_sign` is found, with `v` as 27/28 and as 0/1, in hex of any case."""
    for number in range(1, 9):
        account = Account.from_key(number.to_bytes(32))
        raw = bytes(account.sign_message(encode_defunct(text=text)).signature)
        low = raw[:64] + bytes([raw[64] - 27])
        for spelled in ("0x" + raw.hex(), raw.hex().upper(), "0x" + low.hex()):
            assert signatures.signer(text, spelled) == account.address.lower()


def test_eip191_covers_the_text() -> None:
    """Another text has another signer."""
    signed = market.eip191("04ff", "https://a")
    assert signatures.signer(market.CP_ACCOUNT + "04ffhttps://b", signed) != (
        market.ORCHESTRATOR.address.lower()
    )


def test_second_spellings_are_refused() -> None:
    """The same signature with a high `s` is not accepted."""
    raw = bytes.fromhex(market.eip191("", "x")[2:])
    high = (ORDER - int.from_bytes(raw[32:64])).to_bytes(32)
    other = raw[:32] + high + bytes([55 - raw[64]])
    with pytest.raises(InvalidSignatureError, match="high s"):
        signatures.signer(market.CP_ACCOUNT + "x", other.hex())


@given(st.one_of(st.text(max_size=140), st.binary(min_size=64, max_size=66).map(bytes.hex)))
def test_malformed_eip191(signature: str) -> None:
    """Any text in place of a signature has a signer or raises the one error."""
    with contextlib.suppress(InvalidSignatureError):
        assert signatures.signer("x", signature).startswith("0x")


def test_addresses() -> None:
    """Our EVM address is the one that `eth-account` computes."""
    key = coincurve.PrivateKey()
    assert signatures.address(key.public_key) == Account.from_key(key.secret).address.lower()
