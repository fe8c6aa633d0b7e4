"""Reading a page as a visitor of the Space would."""

import asyncio
import re
from collections.abc import Iterator

from app.net import http_client
from app.net.http_client import Answer

_TIMEOUT_SECONDS = 3.0
_MOST_BYTES = 64 << 10
_MOST_LINES = 6
_UNSEEN = re.compile(r"(?is)<(script|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>")


def get(url: str, *, host: str = "") -> Answer:
    """Return the answer to a GET, whatever its status.

    Args:
        url: Where.
        host: The `Host` header, when it is another than the URL's.

    Raises:
        Temporary: Nothing answers there.
    """
    return asyncio.run(_get(url, {"Host": host} if host else {}))


async def _get(url: str, headers: dict[str, str]) -> Answer:
    async with http_client.client() as session:
        return await http_client.send(
            session,
            "GET",
            url,
            body=b"",
            headers=headers,
            timeout_seconds=_TIMEOUT_SECONDS,
            max_answer_bytes=_MOST_BYTES,
        )


def lines(body: bytes) -> list[str]:
    """Return a page's first lines of text, without its markup and without control characters."""
    return list(_lines(body))[:_MOST_LINES]


def _lines(body: bytes) -> Iterator[str]:
    for line in _UNSEEN.sub("", body.decode(errors="replace")).splitlines():
        text = "".join(letter for letter in line if letter.isprintable()).strip()
        if text:
            yield text
