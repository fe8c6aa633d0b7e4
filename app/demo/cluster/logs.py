"""A container's log: what it has written, line by line, and what it writes from then on."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.demo.cluster.controllers.containers import SECOND, Line, Moment

_POLL_SECONDS = 0.05
_MOST_KEPT = 200_000
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The part of a log that is asked for.

    Attributes:
        timestamps: Whether each line begins with its time.
        since: Unix nanoseconds; only lines from then on. API servers ask for whole seconds.
        tail: Only so many lines of those that there are; None: all.
    """

    timestamps: bool = False
    since: int = 0
    tail: int | None = None

    def text(self, lines: list[Line]) -> bytes:
        """The lines as they are sent."""
        if self.timestamps:
            return "".join(f"{_stamp(when)} {text}\n" for when, text in lines).encode()
        return "".join(f"{text}\n" for _, text in lines).encode()


def written(moment: Moment, wanted: Wanted, now: int) -> list[Line]:
    """The lines that a container has written before `now`, as far as they are wanted."""
    kept = _MOST_KEPT if wanted.tail is None else min(wanted.tail, _MOST_KEPT)
    lines = _between(moment, wanted.since, now, most=kept)
    return lines if wanted.tail is None else lines[max(0, len(lines) - kept) :]


async def follow(look: Callable[[], Moment | None], wanted: Wanted) -> AsyncIterator[bytes]:
    """The lines that a container has written and writes, until it ends.

    Args:
        look: The container as it is; None once it is gone.
        wanted: What of it.
    """
    first = moment = look()
    now = time.time_ns()
    if moment is not None:
        yield wanted.text(written(moment, wanted, now))
    while first and moment and moment.restarts == first.restarts:
        before, now = now, time.time_ns()
        if more := _between(moment, before, now, most=_MOST_KEPT):
            yield wanted.text(more)
        if "running" not in moment.state:
            return
        await asyncio.sleep(_POLL_SECONDS)
        moment = look()


def _between(moment: Moment, start: int, end: int, *, most: int) -> list[Line]:
    """The lines from `start` on and before `end`; of the regular ones the last."""
    lines = [line for line in moment.log if start <= line[0] < end]
    writing = moment.writing
    if writing is None:
        return lines
    last = writing.count(end)
    numbers = range(max(writing.count(start), last - most), last)
    return [*lines, *map(writing.line, numbers)]


def second(text: str) -> int:
    """The second of a time as in RFC 3339, in unix nanoseconds; raises `ValueError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("must be a time as in RFC 3339")
    return int(datetime.fromisoformat(match[1] + match[2]).timestamp()) * SECOND


def _stamp(when: int) -> str:
    seconds, rest = divmod(when, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
