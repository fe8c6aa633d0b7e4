"""The log of a task's image build: written as it happens, read from its beginning."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import redis

from app.store import redis_keys
from app.store.queries import Query
from app.store.redis_errors import UNAVAILABLE

START = "-"
MAX_LINE_BYTES = 16 << 10  # More than builders give: only whole lines can be redacted.
MAX_BYTES = 1 << 20
_ENTRY_BYTES = 16  # What Redis keeps of an entry beside its line.
_KEPT = timedelta(days=400)  # Beyond any task; its end leaves the log a day.
_AT_ONCE = 100
_FLUSH_SECONDS = 0.3


class BuildLog:
    """Writes a task's log to a Redis stream of entries `{line}`, the end of a build as `{end}`.

    The last `MAX_BYTES` are kept; a line of more than `MAX_LINE_BYTES` becomes several. A log is no
    reason to fail a build: lines that come while Redis is away are lost.
    """

    def __init__(self, connection: redis.Redis, task_id: str) -> None:
        self._connection = connection
        self._task_id = task_id
        self._key = redis_keys.build_log(task_id)
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._waiting: list[bytes] = []
        self._flushed_at = 0.0

    def begin(self) -> None:
        """Delete the log of an earlier build."""
        self._sizes.clear()
        self._bytes = 0
        with suppress(*UNAVAILABLE):
            self._connection.delete(self._key)

    def tell(self, line: str) -> None:
        """Add a line; it can be read within a moment, at the latest with the next one."""
        self._waiting += _parts(line)
        if len(self._waiting) >= _AT_ONCE or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        waiting, self._waiting = self._waiting, []
        self._flushed_at = time.monotonic()
        self._add([{"line": line} for line in waiting])

    def end(self) -> None:
        """Write the lines that wait, and the end of the build; another may follow."""
        self.flush()
        self._add([{"end": "1"}])

    def _add(self, entries: list[dict[str, str | bytes]]) -> None:
        if not entries:
            return
        with suppress(*UNAVAILABLE):
            pipeline: Any = self._connection.pipeline(transaction=False)
            for entry in entries:
                pipeline.xadd(self._key, entry)
            pipeline.xtrim(self._key, maxlen=self._fitting(entries), approximate=False)
            pipeline.expire(self._key, _KEPT, nx=True)
            pipeline.zadd(redis_keys.BUILD_LOGS, {self._task_id: time.time()})
            pipeline.execute()

    def _fitting(self, entries: list[dict[str, str | bytes]]) -> int:
        """The number of the last entries, with these, that fit into `MAX_BYTES`."""
        for entry in entries:
            self._sizes.append(_ENTRY_BYTES + sum(map(len, entry.values())))
            self._bytes += self._sizes[-1]
        while self._bytes > MAX_BYTES:
            self._bytes -= self._sizes.popleft()
        return len(self._sizes)


def lines(
    task_id: str, *, after: str = START, count: int = 1000
) -> Query[list[tuple[str, str | None]]]:
    """The next lines of a task's log, oldest first, each with its place.

    Args:
        task_id: The task's.
        after: The place of the last line that was read; `START` for the beginning.
        count: At most so many.

    Returns:
        Places and lines; None in place of a line where a build ended.
    """
    first = START if after == START else f"({after}"
    [entries] = yield [("XRANGE", redis_keys.build_log(task_id), first, "+", "COUNT", count)]
    return [
        (place.decode(), fields[b"line"].decode() if b"line" in fields else None)
        for place, fields in entries
    ]


def is_cut(task_id: str) -> Query[bool]:
    """Tell whether earlier lines of a log that exists were dropped."""
    [facts] = yield [("XINFO", "STREAM", redis_keys.build_log(task_id))]
    return bool(facts[b"entries-added"] > facts[b"length"])


def _parts(line: str) -> Iterator[bytes]:
    """The parts of a line that fit into one entry each, cut between characters."""
    whole = line.encode(errors="replace")
    start = 0
    while True:
        end = min(start + MAX_LINE_BYTES, len(whole))
        while end < len(whole) and whole[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character.
            end -= 1
        yield whole[start:end]
        start = end
        if start >= len(whole):
            return
