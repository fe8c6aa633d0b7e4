"""The log of a task's image build, from its beginning and then as it is written."""

import asyncio
import time

from redis.exceptions import RedisError

from app import build_log
from app.errors import Temporary
from app.logs import frames
from app.models import State, Task
from app.redaction import Redaction
from app.store import AsyncStore
from k8s.logs import remark

_AT_ONCE = 64
_QUIET_SECONDS = 0.5
_LOOK_SECONDS = 2.0
_BEFORE_BUILD = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING})


class Build:
    """One watcher of a build; a new build of the task follows on the old one.

    Attributes:
        over: Why nothing more will come; empty: something may.
    """

    def __init__(self, store: AsyncStore, task_id: str, redaction: Redaction) -> None:
        self.over = ""
        self._store = store
        self._task_id = task_id
        self._redaction = redaction
        self._place = build_log.START
        self._looked_at = float("-inf")
        self._told = ""

    async def next(self, seconds: float) -> bytes:
        """Return the frames that come next; none when nothing comes for so long."""
        try:
            task = await self._look()
            found = await self._read()
        except Temporary as error:
            await asyncio.sleep(_QUIET_SECONDS)
            return self._tell(f"the log is interrupted: {error.message}")
        if found:
            self._told = ""
            return frames.of(found)
        if task and task.ended:
            self.over = f"the task is {task.state}"
            return frames.of([remark(self.over)])
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

    async def _read(self) -> list[bytes]:
        """The next lines."""
        is_first = self._place == build_log.START
        try:
            found = await build_log.read_async(
                self._store.connection, self._task_id, after=self._place, count=_AT_ONCE
            )
            is_cut = is_first and await build_log.is_full(self._store.connection, self._task_id)
        except (RedisError, OSError) as error:
            raise Temporary(f"Redis does not answer: {error}", category="memory") from error
        if found:
            self._place = found[-1][0]
        cut = [remark(f"only the last {build_log.MAX_LINES} lines are kept")] if is_cut else []
        return cut + [self._redaction.bytes(line.encode()) for _, line in found if line is not None]

    def _tell(self, words: str) -> bytes:
        """Say something, once."""
        if words == self._told:
            return b""
        self._told = words
        return frames.of([remark(words)])
