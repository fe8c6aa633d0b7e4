"""The worked examples of a document: requests, their answers, and what happens between them.

A block of `http` that begins with `HTTP/` is the answer to the block before it. A quoted line
(`> 12:00:05: the Space is fetched.`) is a direction: a time of the examples' day, and words.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import documents

_PARTS = re.compile(
    r"^```http\n(?P<block>(?s:.*?))^```$|^> (?:(?P<time>\d\d:\d\d:\d\d): )?(?P<words>.+)$",
    re.MULTILINE,
)

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Direction:
    """What happens, and at what time of the day (`12:00:05`, empty: no time passes)."""

    line: int
    time: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line's number, headers by lower-case names, and what follows them."""

    status: int
    headers: Headers
    body: str

    @property
    def content(self) -> Any:
        """The body: decoded where it is JSON, however it is laid out."""
        return content(self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Example:
    """A request and its answer; `head` is all of the request's lines but its body."""

    line: int
    head: str
    body: str
    answer: Answer

    @property
    def method(self) -> str:
        """Its method."""
        return self.head.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """Its path and query."""
        return self.head.split(" ", 2)[1]

    @property
    def path(self) -> str:
        """Its path."""
        return self.target.partition("?")[0]

    @property
    def headers(self) -> Headers:
        """Its headers by lower-case names."""
        return _headers(self.head.splitlines()[1:])

    @property
    def content(self) -> Any:
        """Its body, as an answer's."""
        return content(self.headers, self.body)


def read(document: Path) -> Iterator[Direction | Example]:
    """Yield what a document tells, in its order."""
    text = documents.text(document)
    asked: tuple[int, str, str] | None = None
    for found in _PARTS.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["block"] is None:
            yield Direction(line, found["time"] or "", found["words"])
            continue
        head, _, body = found["block"].removesuffix("\n").partition("\n\n")
        if not head.startswith("HTTP/"):
            assert asked is None, f"{document.name}:{line}: the request before has no answer"
            asked = line, head, body
            continue
        assert asked is not None, f"{document.name}:{line}: an answer to nothing"
        first, *rest = head.splitlines()
        yield Example(*asked, Answer(int(first.split(" ")[1]), _headers(rest), body))
        asked = None
    assert asked is None, f"{document.name}: the last request has no answer"


def content(headers: Headers, body: str) -> Any:
    """Return a body as it is compared: decoded where it is JSON, else by its lines."""
    is_json = headers.get("content-type", "").partition(";")[0].endswith("json")
    with suppress(json.JSONDecodeError):
        return json.loads(body) if is_json else body.splitlines()
    return body.splitlines()


def _headers(lines: list[str]) -> Headers:
    pairs = (line.split(": ", 1) for line in lines)
    return {name.lower(): value for name, value in pairs}
