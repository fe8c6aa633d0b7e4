"""Redaction of the operator's secrets in logs and other output."""

import json
import re
from collections.abc import Iterable

REPLACEMENT = "[secret]"


class Redaction:
    """Replaces secrets, both verbatim and JSON-encoded; the longest first.

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
    """Return a secret verbatim and in its JSON encodings."""
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]} - {""}
