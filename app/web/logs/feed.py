"""One task's container log, read once for all its watchers, each at its own pace."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import structlog

from app.errors import Temporary
from app.store import AsyncStore
from app.store.container_log_stream import Entry, Watched
from app.web.logs import frames

log = structlog.get_logger()

MAX_BYTES = 4 << 20
MAX_BATCH_BYTES = 64 << 10
_LAG_BYTES = MAX_BYTES // 2
_SKIPPED = "{} lines were skipped: they came faster than this connection takes them"
_MAX_WAIT_SECONDS = 1.0
_ROUND_SECONDS = 0.05
_QUIET_SECONDS = 0.2
_REQUEST_SECONDS = 4.0
_UNREAD_SECONDS = 10.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Frames, and the numbers of their first and last line; 0 for the provider's own remarks."""

    frames: bytes
    first: int = 0
    last: int = 0


class Cursor:
    """One watcher's position in a feed."""

    def __init__(self, feed: "Feed", position: int) -> None:
        self.position = position
        self.last = 0
        self._feed = feed

    @property
    def over(self) -> str:
        """The reason why no more lines will come, once all were sent; empty until then."""
        return self._feed.over if self._feed.is_seen(self) else ""

    async def next(self, seconds: float) -> bytes:
        """Return the next frames; none when no line comes for so long."""
        return await self._feed.next(self, seconds)


class Feed:
    """Reads while `run` runs, and keeps a bounded backlog for watchers that are behind.

    Attributes:
        over: The reason why no more lines will come; empty: more may.
        watchers: The positions of all watchers.
    """

    def __init__(self, store: AsyncStore, task_id: str) -> None:
        self.over = ""
        self.watchers: set[Cursor] = set()
        self._watched = Watched(store, task_id)
        self._task_id = task_id
        self._batches: deque[_Batch] = deque()
        self._start = 0
        self._size = 0
        self._added = asyncio.Event()
        self._moved = asyncio.Event()
        self._last: Entry | None = None
        self._requested_at = self._read_at = float("-inf")
        self._last_remark = ""

    def join(self) -> Cursor:
        """Add a watcher at the beginning of the backlog."""
        cursor = Cursor(self, self._start)
        self.watchers.add(cursor)
        return cursor

    async def next(self, cursor: Cursor, seconds: float) -> bytes:
        """Return the next frames of a watcher, and move it past them."""
        if cursor.position >= self._end and not self.over:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._added.wait()
        parts: list[bytes] = []
        size = 0
        cursor.position = max(cursor.position, self._start)
        while cursor.position < self._end and size < MAX_BATCH_BYTES:
            batch = self._batches[cursor.position - self._start]
            if 0 < cursor.last < batch.first - 1:
                parts.append(frames.remark(_SKIPPED.format(batch.first - 1 - cursor.last)))
            cursor.last = batch.last or cursor.last
            cursor.position += 1
            parts.append(batch.frames)
            size += len(batch.frames)
        self._moved.set()
        return b"".join(parts)

    def is_seen(self, cursor: Cursor) -> bool:
        """Tell whether a watcher has seen the whole backlog."""
        return cursor.position >= self._end

    @property
    def _end(self) -> int:
        return self._start + len(self._batches)

    async def run(self) -> None:
        """Read until cancelled, or until the log is over."""
        try:
            while not self.over:
                try:
                    await self._request()
                    await self._read()
                except Temporary as error:
                    self._remark(f"the log is interrupted: {error.message}")
                    await asyncio.sleep(_RETRY_SECONDS)
        except Exception:
            log.exception("log broke", task=self._task_id)
            self.over = "the provider failed; its log says how"
            self._notify()
        finally:
            with suppress(Temporary):
                await self._watched.leave()

    async def _request(self) -> None:
        """Ask the watcher process for the log, again before the request expires."""
        now = time.monotonic()
        if now - self._requested_at < _REQUEST_SECONDS:
            return
        if self._requested_at == float("-inf"):
            self._read_at = now
        if await self._watched.want(time.time()):
            self._read_at, self._last_remark = now, ""
        self._requested_at = now
        if now - self._read_at > _UNREAD_SECONDS:
            self._remark("nobody reads this log yet; it goes on when the process `watcher` does")

    async def _read(self) -> None:
        entries = await self._watched.read(self._last)
        if not entries:
            await asyncio.sleep(_QUIET_SECONDS)
            return
        for entry in entries:
            lines = entry.lines.split(b"\n")[:-1]
            self._add(_Batch(frames.of(lines), entry.last - len(lines) + 1, entry.last))
            self.over = entry.over or self.over
        self._last = entries[-1]
        self._notify()
        await asyncio.sleep(_ROUND_SECONDS)
        await self._wait_for_fastest()

    async def _wait_for_fastest(self) -> None:
        """Wait for a while, so that a watcher that keeps up loses no line."""
        until = time.monotonic() + _MAX_WAIT_SECONDS
        while self._lag() > _LAG_BYTES and (left := until - time.monotonic()) > 0:
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()

    def _lag(self) -> int:
        furthest = max((cursor.position for cursor in self.watchers), default=self._end)
        behind = self._end - max(furthest, self._start)
        return sum(len(self._batches[-1 - back].frames) for back in range(behind))

    def _add(self, batch: _Batch) -> None:
        self._batches.append(batch)
        self._size += len(batch.frames)
        while self._size > MAX_BYTES:
            self._size -= len(self._batches.popleft().frames)
            self._start += 1

    def _remark(self, words: str) -> None:
        if words != self._last_remark:
            self._last_remark = words
            log.warning("log stalls", task=self._task_id, why=words)
            self._add(_Batch(frames.remark(words)))
            self._notify()

    def _notify(self) -> None:
        self._added.set()
        self._added = asyncio.Event()
