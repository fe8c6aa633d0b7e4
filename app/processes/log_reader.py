"""Reader of the container logs that somebody watches; runs in the watcher, which may read pods."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import structlog

from app.context import Context
from app.errors import Temporary
from app.store.container_log_stream import MAX_BYTES, Addition, Writer
from app.store.records import Task
from k8s import logs
from k8s.api.errors import ClusterError
from k8s.naming import names

log = structlog.get_logger()

MAX_TASKS = 64
LAST_LINES = 1000
_ROUND_SECONDS = 0.02
_PATIENCE_SECONDS = 2.0
_MOST_UNSEEN_BYTES = MAX_BYTES // 2
_ATTEND_SECONDS = 0.3
_LOOK_SECONDS = 2.0
_RENEW_SECONDS = 2.0
_FAREWELL_SECONDS = 10.0
_ROUND_BYTES = 1 << 20


class LogReader:
    """Copies container logs to their streams in Redis; not thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._writer = Writer(context.redis)
        redaction = context.redaction
        self._filter = logs.Filter(redaction.bytes, redaction.reach)
        self._ready = threading.Event()
        self._tasks: dict[str, _Followed] = {}
        self._held: list[Addition] = []
        self._attended_at = self._renewed_at = 0.0

    def run(self, stopped: threading.Event) -> None:
        """Read until `stopped` is set."""
        while not stopped.is_set():
            self._ready.wait(_ATTEND_SECONDS)
            self._ready.clear()
            began = time.monotonic()
            try:
                self._attend(began)
                self._pass_on(began)
            except Temporary as error:
                log.warning("logs interrupted", error=error.message)
                stopped.wait(_RENEW_SECONDS)
            except Exception:
                log.exception("logs broke")
                stopped.wait(_RENEW_SECONDS)
            stopped.wait(_ROUND_SECONDS)
        with suppress(Temporary):
            for task_id in list(self._tasks):
                self._end(task_id)

    def _attend(self, now: float) -> None:
        """Start reading the tasks that are watched by now, stop the others."""
        if now - self._attended_at < _ATTEND_SECONDS:
            return
        self._attended_at = now
        wanted = self._writer.wanted(time.time())
        for task_id in self._tasks.keys() - wanted:
            self._end(task_id)
        for task_id in wanted - self._tasks.keys():
            if len(self._tasks) < MAX_TASKS and self._writer.lease(task_id):
                self._tasks[task_id] = _Followed(self._context, task_id, self._filter, self._ready)
        if now - self._renewed_at > _RENEW_SECONDS:
            self._renewed_at = now
            for task_id in self._writer.renew(self._tasks):
                self._tasks.pop(task_id).stop()
        for task in self._tasks.values():
            task.look(now, self._writer)

    def _end(self, task_id: str) -> None:
        self._tasks.pop(task_id).stop()
        self._writer.release(task_id)

    def _pass_on(self, now: float) -> None:
        """Write what was read; what could not be written goes first in the next round."""
        if not self._held:
            unseen = self._writer.unseen(self._tasks)
            self._held = list(self._read(unseen, now))
        if self._held:
            self._writer.append(self._held)
            self._held = []

    def _read(self, unseen: dict[str, int], now: float) -> Iterator[Addition]:
        """Yield one round's additions, task by task, of a size that delays nobody for long."""
        size = 0
        for task_id, task in list(self._tasks.items()):
            if task.has_to_wait(unseen[task_id], now):
                self._ready.set()
                continue
            self._tasks[task_id] = self._tasks.pop(task_id)
            for addition in task.read():
                size += len(addition.lines)
                yield addition
            if size > _ROUND_BYTES:
                self._ready.set()
                return


class _Followed:
    """One task whose container logs are read."""

    def __init__(
        self, context: Context, task_id: str, filter_: logs.Filter, ready: threading.Event
    ) -> None:
        self._context = context
        self._task_id = task_id
        self._filter = filter_
        self._ready = ready
        self._log: logs.TaskLog | None = None
        self._looked_at = 0.0
        self._told = ""
        self._ended_at: float | None = None
        self._is_over = False
        self._additions: list[Addition] = []
        self._waits_from: float | None = None

    def has_to_wait(self, unseen: int, now: float) -> bool:
        """Return True while watchers are to be given time for so many unseen bytes."""
        if unseen <= _MOST_UNSEEN_BYTES:
            self._waits_from = None
            return False
        self._waits_from = self._waits_from or now
        if now - self._waits_from < _PATIENCE_SECONDS:
            return True
        self._waits_from = None
        return False

    def look(self, now: float, writer: Writer) -> None:
        """Look at the task's record from time to time, and start or finish its log.

        Raises:
            Temporary: Redis is away.
        """
        if self._is_over or now - self._looked_at < _LOOK_SECONDS:
            return
        task = self._context.store.get(self._task_id)
        self._looked_at = now
        if task and task.wallet and self._log is None:
            try:
                self._begin(task, writer)
            except ClusterError as error:
                self._tell(f"the cluster cannot be read: {error}")
                return
        is_bare = self._log is None or self._log.pods == 0
        if task is None or task.ended:
            self._ended_at = self._ended_at or now
            if is_bare or now - self._ended_at > _FAREWELL_SECONDS:
                self._finish(_state(task))
        elif is_bare:
            self._tell(_state(task))

    def _begin(self, task: Task, writer: Writer) -> None:
        self._log = logs.TaskLog(
            self._context.cluster,
            names.namespace(task.wallet),
            task.id,
            extent=logs.Extent(last_lines=LAST_LINES),
            filter_=self._filter,
            ready=self._ready,
            positions=writer.places(task.id),
        )
        self._log.start()

    def _tell(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._additions.append(self._remark(words))

    def _finish(self, words: str) -> None:
        self._is_over = True
        self.stop()
        self._additions += self._left()
        over = self._filter.apply(words.encode(errors="replace")).decode()
        self._additions.append(self._remark(words, over=over))

    def _remark(self, words: str, *, over: str = "") -> Addition:
        line = self._filter.apply(logs.remark(words))
        return Addition(task_id=self._task_id, lines=line, over=over)

    def read(self) -> Iterator[Addition]:
        """Yield the additions that are to be written."""
        additions, self._additions = self._additions, []
        yield from additions
        yield from self._left()

    def _left(self) -> Iterator[Addition]:
        for piece in self._log.take() if self._log else ():
            key = piece.source.key if piece.source else ""
            yield Addition(task_id=self._task_id, lines=piece.lines, key=key, read=piece.position)

    def stop(self) -> None:
        """End all of its threads and connections."""
        if self._log:
            self._log.stop()


def _state(task: Task | None) -> str:
    if task is None:
        return "the task is forgotten by now"
    why = f" ({task.reason.message})" if task.reason else ""
    return f"the task is {task.state}{why}"
