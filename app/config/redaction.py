"""Redaction of the operator's secrets in logs and other output."""

import base64
import json
import re
from collections.abc import Iterable, Iterator

REPLACEMENT = "[secret]"
# A shorter piece of base64 may stand in any text.
_MIN_BASE64_CHARACTERS = 8
_URL_SAFE = str.maketrans("+/", "-_")


class Redaction:
    """Replaces secrets, verbatim, JSON-encoded and in base64; the longest first.

    Attributes:
        reach: The length of the longest match in bytes.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        ordered = sorted(
            {form for secret in secrets for form in _forms(secret)}, key=len, reverse=True
        )
        encoded = [form.encode(errors="surrogatepass") for form in ordered]
        self._text = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._bytes = re.compile(b"|".join(map(re.escape, encoded))) if encoded else None
        self.reach = max(map(len, encoded), default=0)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        return self._text.sub(REPLACEMENT, text) if self._text else text

    def bytes(self, content: "bytes") -> "bytes":
        """Return UTF-8 bytes without the secrets."""
        return self._bytes.sub(REPLACEMENT.encode(), content) if self._bytes else content


def _forms(secret: str) -> set[str]:
    """Return a secret verbatim, in its JSON encodings and in base64; none for an empty one."""
    if not secret:
        return set()
    in_json = (json.dumps(secret, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    in_base64 = set(_base64_forms(secret.encode(errors="surrogatepass")))
    return {secret, *in_json, *in_base64, *(form.translate(_URL_SAFE) for form in in_base64)}


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Yield a secret in base64, and what stays of that inside the base64 of a longer text.

    There, its first byte is the first, second or third of a group: of the characters, those count
    that stand for bits of the secret alone.
    """
    yield base64.b64encode(secret).decode()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret).decode()
        first, end = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        if end - first >= _MIN_BASE64_CHARACTERS:
            yield encoded[first:end]
