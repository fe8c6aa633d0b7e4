"""The reader of containers' logs, and those whom it reads for."""

import asyncio
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from app.context import Context
from app.processes import log_reader
from app.processes.log_reader import LogReader
from app.store.container_log_stream import (
    MAX_BYTES,
    Entry,
    Watched,
    Writer,
)
from app.store.job_data import JobData
from app.store.records import State
from app.tasks import transitions
from k8s import logs
from k8s.logs import LogPosition, LogSource, Piece

TASK = "11111111-2222-3333-4444-555555555555"
LINE = b"x" * 999 + b"\n"
SOURCE = LogSource("/pods/web", "uid", "web", "web")


class Endless:
    """A log of which there is always more."""

    pods = 1

    def __init__(self, *_: Any, ready: threading.Event, **__: Any) -> None:
        self._ready = ready
        self._count = 0

    def start(self) -> None:
        """Nothing has to be begun."""

    def stop(self) -> None:
        """Nothing has to be ended."""

    def take(self) -> Iterator[Piece]:
        """Yield half a megabyte."""
        self._ready.set()
        for _ in range(8):
            self._count += 64
            yield Piece(LINE * 64, SOURCE, LogPosition("stamp", self._count))


@pytest.fixture
def reader(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """Reads an endless log of a task that runs."""
    monkeypatch.setattr(logs, "TaskLog", Endless)
    monkeypatch.setattr(Context, "cluster", SimpleNamespace())
    job = JobData(uuid=TASK, duration=900, job_source_uri="http://127.0.0.1/")
    accepted = transitions.accepted(job, host="x.y", now=time.time(), start_timeout_seconds=900)
    after = msgspec.structs.replace(accepted.after, wallet="0x1", state=State.RUNNING)
    context.store.commit(msgspec.structs.replace(accepted, after=after))
    stopped = threading.Event()
    thread = threading.Thread(target=LogReader(context).run, args=(stopped,))
    thread.start()
    yield context
    stopped.set()
    thread.join(20)
    assert not thread.is_alive()


def watched(context: Context, size: int) -> list[Entry]:
    """Return what a watcher reads that is slower than the log, up to so many bytes."""

    async def read() -> list[Entry]:
        store = Context(context.folder, context.config).async_store
        found: list[Entry] = []
        try:
            log = Watched(store, TASK)
            await log.want(time.time())
            while not found or found[-1].total < size:
                found += await log.read(found[-1] if found else None)
                await asyncio.sleep(0.05)
        finally:
            await store.close()
        return found

    return asyncio.run(asyncio.wait_for(read(), 20))


def test_the_reader_waits_for_who_reads(reader: Context) -> None:
    """Nothing is lost on the way to a watcher that is slower than the log, but does read."""
    found = watched(reader, 3 * MAX_BYTES)
    ends = [0, *(entry.last for entry in found)]
    assert [entry.last - entry.lines.count(b"\n") for entry in found] == ends[:-1]


def test_the_reader_waits_for_nobody_for_long(
    reader: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher that stops to read does not hold the log up for others."""
    monkeypatch.setattr(log_reader, "_PATIENCE_SECONDS", 0.1)
    watched(reader, 1)
    deadline = time.monotonic() + 10
    while Writer(reader.redis).unseen([TASK])[TASK] < 2 * MAX_BYTES:
        assert time.monotonic() < deadline
        time.sleep(0.05)
