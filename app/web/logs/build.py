"""The log of a task's image build, from its beginning and then as it is written."""

import asyncio
import time
from dataclasses import dataclass

from app.config.redaction import Redaction
from app.errors import Temporary
from app.store import AsyncStore, build_log
from app.store.records import State, Task
from app.web.logs import frames

_AT_ONCE = 500
_KEPT_SECONDS = 0.25
_ROUND_SECONDS = 0.05
_QUIET_SECONDS = 0.5
_LOOK_SECONDS = 2.0
_BEFORE_BUILD = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING})


@dataclass(frozen=True, slots=True)
class _Page:
    """Lines as frames, the place of the last one, and whether lines before them were dropped."""

    frames: bytes
    place: str
    is_cut: bool


class BuildLogPages:
    """Reads builds' logs: what several ask for at about the same time, once for all of them."""

    def __init__(self, store: AsyncStore, redaction: Redaction) -> None:
        self._store = store
        self._redaction = redaction
        self._kept: dict[tuple[str, str], asyncio.Task[_Page]] = {}

    async def shared(self, task_id: str, after: str) -> _Page:
        """Return what `read` returns, or did a moment ago."""
        key = task_id, after
        if key not in self._kept:
            self._kept[key] = asyncio.create_task(self.read(task_id, after))
            asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._kept.pop, key)
        # Who leaves does not end it for the others.
        return await asyncio.shield(self._kept[key])

    async def read(self, task_id: str, after: str) -> _Page:
        """Return what comes after a place; nothing, in the same place, when nothing does.

        Raises:
            Temporary: Redis is away.
        """
        query = build_log.lines(task_id, after=after, count=_AT_ONCE)
        page = await self._store.read(query)
        is_first = after == build_log.START
        is_cut = is_first and await self._store.read(build_log.is_full(task_id))
        lines = [self._redaction.bytes(line.encode()) for _, line in page if line is not None]
        return _Page(frames.of(lines), page[-1][0] if page else after, is_cut)


class BuildLogWatcher:
    """One watcher of a build; a new build of the task follows on the old one.

    Attributes:
        over: Why nothing more will come; empty: something may.
    """

    def __init__(self, store: AsyncStore, pages: BuildLogPages, task_id: str) -> None:
        self.over = ""
        self._store = store
        self._pages = pages
        self._task_id = task_id
        self._place = build_log.START
        self._looked_at = float("-inf")
        self._told = ""

    async def next(self, seconds: float) -> bytes:
        """Return the frames that come next; none when nothing comes for so long."""
        try:
            task = await self._look()
            found = await self._read(is_last=task is not None and task.ended)
        except Temporary as error:
            await asyncio.sleep(_QUIET_SECONDS)
            return self._tell(f"the log is interrupted: {error.message}")
        if found:
            self._told = ""
            await asyncio.sleep(_ROUND_SECONDS)
            return found
        if task and task.ended:
            self.over = f"the task is {task.state}"
            return frames.remark(self.over)
        await asyncio.sleep(max(0.0, min(seconds, _QUIET_SECONDS)))
        is_without = task and task.state not in _BEFORE_BUILD and self._place == build_log.START
        return self._tell("no image was built for this task") if is_without else b""

    async def _look(self) -> Task | None:
        """The task, from time to time."""
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return None
        task = await self._store.get(self._task_id)
        self._looked_at = time.monotonic()
        return task

    async def _read(self, *, is_last: bool) -> bytes:
        """The next frames; none of a log that has its last lines means that all were seen."""
        page = await self._pages.shared(self._task_id, self._place)
        if is_last and not page.frames:
            page = await self._pages.read(self._task_id, page.place)
        self._place = page.place
        cut = f"only the last {build_log.MAX_LINES} lines are kept"
        return frames.remark(cut) + page.frames if page.is_cut else page.frames

    def _tell(self, words: str) -> bytes:
        """Say something, once."""
        if words == self._told:
            return b""
        self._told = words
        return frames.remark(words)
