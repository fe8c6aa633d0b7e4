"""The log of a task's image build: from its beginning, then as it is written."""

import asyncio
import time
from dataclasses import dataclass

from app.config.redaction import Redaction
from app.errors import Temporary
from app.store import AsyncStore, build_log
from app.store.records import State, Task
from app.web.logs import frames

_AT_ONCE = 500
_SHARED_SECONDS = 0.25
_ROUND_SECONDS = 0.05
_QUIET_SECONDS = 0.5
_TASK_SECONDS = 2.0
_BEFORE_BUILD = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING})


@dataclass(frozen=True, slots=True)
class _Page:
    """Lines as frames, the position of the last one, and whether earlier lines were dropped."""

    frames: bytes
    position: str
    is_cut: bool


class BuildLogPages:
    """Reads builds' logs; requests for the same page at about the same time share one read."""

    def __init__(self, store: AsyncStore, redaction: Redaction) -> None:
        self._store = store
        self._redaction = redaction
        self._recent: dict[tuple[str, str], asyncio.Task[_Page]] = {}

    async def shared(self, task_id: str, after: str) -> _Page:
        """Return the result of `read`, or that of a moment ago."""
        key = task_id, after
        if key not in self._recent:
            self._recent[key] = asyncio.create_task(self.read(task_id, after))
            asyncio.get_running_loop().call_later(_SHARED_SECONDS, self._recent.pop, key)
        # A client that leaves does not cancel it for the others.
        return await asyncio.shield(self._recent[key])

    async def read(self, task_id: str, after: str) -> _Page:
        """Return the page after a position; an empty one at the same position when there is none.

        Raises:
            Temporary: Redis does not answer.
        """
        query = build_log.lines(task_id, after=after, count=_AT_ONCE)
        entries = await self._store.read(query)
        is_first = after == build_log.START
        is_cut = is_first and bool(entries) and await self._store.read(build_log.is_cut(task_id))
        lines = [self._redaction.bytes(line.encode()) for _, line in entries if line is not None]
        return _Page(frames.of(lines), entries[-1][0] if entries else after, is_cut)


class BuildLogWatcher:
    """One watcher of a build; a new build of the task continues after the old one.

    Attributes:
        over: The reason why no more lines will come; empty: more may.
    """

    def __init__(self, store: AsyncStore, pages: BuildLogPages, task_id: str) -> None:
        self.over = ""
        self._store = store
        self._pages = pages
        self._task_id = task_id
        self._position = build_log.START
        self._task_read_at = float("-inf")
        self._last_remark = ""

    async def next(self, seconds: float) -> bytes:
        """Return the next frames; none when no line comes for so long."""
        try:
            task = await self._task()
            content = await self._read(is_last=task is not None and task.ended)
        except Temporary as error:
            await asyncio.sleep(_QUIET_SECONDS)
            return self._remark(f"the log is interrupted: {error.message}")
        if content:
            self._last_remark = ""
            await asyncio.sleep(_ROUND_SECONDS)
            return content
        if task and task.ended:
            self.over = f"the task is {task.state}"
            return frames.remark(self.over)
        await asyncio.sleep(max(0.0, min(seconds, _QUIET_SECONDS)))
        is_without = task and task.state not in _BEFORE_BUILD and self._position == build_log.START
        return self._remark("no image was built for this task") if is_without else b""

    async def _task(self) -> Task | None:
        """The task, read at most every two seconds; None in between."""
        if time.monotonic() - self._task_read_at < _TASK_SECONDS:
            return None
        task = await self._store.get(self._task_id)
        self._task_read_at = time.monotonic()
        return task

    async def _read(self, *, is_last: bool) -> bytes:
        """Read the next frames; of a finished log, none means that all were sent."""
        page = await self._pages.shared(self._task_id, self._position)
        if is_last and not page.frames:
            page = await self._pages.read(self._task_id, page.position)
        self._position = page.position
        cut = f"only the last {build_log.MAX_BYTES >> 20} MiB are kept"
        return frames.remark(cut) + page.frames if page.is_cut else page.frames

    def _remark(self, words: str) -> bytes:
        """Return a remark as a frame, unless it is the last one again."""
        if words == self._last_remark:
            return b""
        self._last_remark = words
        return frames.remark(words)
