"""What the operator keeps secret, struck out of whatever others get to see."""

import json
import re
from collections.abc import Iterable

STRUCK = "[secret]"


class Redaction:
    """Strikes out secrets, as they are and as JSON writes them; the longest first."""

    def __init__(self, secrets: Iterable[str]) -> None:
        ordered = sorted({form for word in secrets for form in _forms(word)}, key=len, reverse=True)
        encoded = [form.encode(errors="surrogatepass") for form in ordered]
        self._text = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._bytes = re.compile(b"|".join(map(re.escape, encoded))) if encoded else None
        self.reach = max(map(len, encoded), default=0)

    def text(self, text: str) -> str:
        """Return a text without them."""
        return self._text.sub(STRUCK, text) if self._text else text

    def bytes(self, content: "bytes") -> "bytes":
        """Return UTF-8 without them; a match has at most `reach` bytes."""
        return self._bytes.sub(STRUCK.encode(), content) if self._bytes else content


def _forms(word: str) -> set[str]:
    """A secret as it is, and as JSON's writers write it."""
    return {word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]} - {""}
