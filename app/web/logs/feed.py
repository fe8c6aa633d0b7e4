"""What one task's containers write, read once for all who watch it, each at a pace of its own."""

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
_PATIENCE_SECONDS = 1.0
_ROUND_SECONDS = 0.05
_QUIET_SECONDS = 0.2
_WANT_SECONDS = 4.0
_UNREAD_SECONDS = 10.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Frames, and the numbers of the first and the last line in them; remarks of ours have none."""

    frames: bytes
    first: int = 0
    last: int = 0


class Cursor:
    """One watcher, and how far it is."""

    def __init__(self, feed: "Feed", position: int) -> None:
        self.position = position
        self.last = 0
        self._feed = feed

    @property
    def over(self) -> str:
        """Why nothing more will come, once everything was seen; empty until then."""
        return self._feed.over if self._feed.is_seen(self) else ""

    async def next(self, seconds: float) -> bytes:
        """Return the frames that come next; none when nothing comes for so long."""
        return await self._feed.next(self, seconds)


class Feed:
    """Reads while `run` does; what is kept for those who are behind is bounded.

    Attributes:
        over: Why nothing more will come; empty: something may.
        watchers: Those who are at it.
    """

    def __init__(self, store: AsyncStore, task_id: str) -> None:
        self.over = ""
        self.watchers: set[Cursor] = set()
        self._watched = Watched(store, task_id)
        self._task_id = task_id
        self._batches: deque[_Batch] = deque()
        self._start = 0
        self._size = 0
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._last: Entry | None = None
        self._wanted_at = self._read_at = float("-inf")
        self._told = ""

    def join(self) -> Cursor:
        """Begin to watch, with the oldest of what is kept."""
        cursor = Cursor(self, self._start)
        self.watchers.add(cursor)
        return cursor

    async def next(self, cursor: Cursor, seconds: float) -> bytes:
        """Return the frames that a watcher sees next."""
        if cursor.position >= self._end and not self.over:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._news.wait()
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
        """Tell whether a watcher has seen everything that there is."""
        return cursor.position >= self._end

    @property
    def _end(self) -> int:
        return self._start + len(self._batches)

    async def run(self) -> None:
        """Read until cancelled, or until nothing more will come."""
        try:
            while not self.over:
                try:
                    await self._want()
                    await self._read()
                except Temporary as error:
                    self._tell(f"the log is interrupted: {error.message}")
                    await asyncio.sleep(_RETRY_SECONDS)
        except Exception:
            log.exception("log broke", task=self._task_id)
            self.over = "the provider failed; its log says how"
            self._tell_news()
        finally:
            with suppress(Temporary):
                await self._watched.leave()

    async def _want(self) -> None:
        now = time.monotonic()
        if now - self._wanted_at < _WANT_SECONDS:
            return
        if self._wanted_at == float("-inf"):
            self._read_at = now
        if await self._watched.want(time.time()):
            self._read_at, self._told = now, ""
        self._wanted_at = now
        if now - self._read_at > _UNREAD_SECONDS:
            self._tell("nobody reads this log yet; it goes on when the process `watcher` does")

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
        self._tell_news()
        await asyncio.sleep(_ROUND_SECONDS)
        await self._wait_for_fastest()

    async def _wait_for_fastest(self) -> None:
        """Nothing is lost on the way to who keeps up; the others are told what they missed."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while self._lag() > _LAG_BYTES and (left := until - time.monotonic()) > 0:
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()

    def _lag(self) -> int:
        furthest = max((one.position for one in self.watchers), default=self._end)
        behind = self._end - max(furthest, self._start)
        return sum(len(self._batches[-1 - back].frames) for back in range(behind))

    def _add(self, batch: _Batch) -> None:
        self._batches.append(batch)
        self._size += len(batch.frames)
        while self._size > MAX_BYTES:
            self._size -= len(self._batches.popleft().frames)
            self._start += 1

    def _tell(self, words: str) -> None:
        if words != self._told:
            self._told = words
            log.warning("log stalls", task=self._task_id, why=words)
            self._add(_Batch(frames.remark(words)))
            self._tell_news()

    def _tell_news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
