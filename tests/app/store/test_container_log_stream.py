"""The output of containers, on its way through Redis."""

import asyncio
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.context import Context
from app.errors import Temporary
from app.store import container_log_stream, redis_keys
from app.store.container_log_stream import (
    Addition,
    Entry,
    Watched,
    Writer,
)
from k8s.logs import LogPosition

TASK = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def connection(redis_url: str) -> Any:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as found:
        yield found


def entries(context: Context, after: Entry | None = None, count: int = 1) -> list[Entry]:
    """Return the entries of a watcher that asks so many times."""

    async def read() -> list[Entry]:
        store = Context(context.folder, context.config).async_store
        try:
            found: list[Entry] = []
            for _ in range(count):
                found += await Watched(store, TASK).read(found[-1] if found else after)
            return found
        finally:
            await store.close()

    return asyncio.run(read())


def one(text: str, number: int, **more: Any) -> Addition:
    """A line of a container."""
    lines = f"{text}\n".encode()
    return Addition(
        task_id=TASK, lines=lines, key="u/web", read=LogPosition("stamp", number), **more
    )


def test_lines_are_counted(context: Context, connection: Any) -> None:
    """Entries number their last line, so that a watcher that misses some knows how many."""
    writer = Writer(connection)
    assert writer.lease(TASK)
    writer.append([Addition(task_id=TASK, lines=b"a\nb\n"), one("c", 1)])
    first, second = entries(context)
    assert (first.lines, first.last, first.total) == (b"a\nb\n", 2, 4)
    assert (second.lines, second.last, second.over) == (b"c\n", 3, "")
    assert entries(context, first) == [second]


def test_only_one_reader_writes(context: Context, connection: Any) -> None:
    """A reader that lost the lease writes nothing more, and notices."""
    first, second = Writer(connection), Writer(connection)
    assert first.lease(TASK)
    assert not second.lease(TASK)
    assert first.renew([TASK]) == set()
    connection.delete(redis_keys.lock(f"log:{TASK}"))
    assert second.lease(TASK)
    first.append([one("late", 1)])
    first.release(TASK)
    assert first.renew([TASK]) == {TASK}
    second.append([one("good", 1)])
    assert [entry.lines for entry in entries(context)] == [b"good\n"]


def test_a_repeated_write_counts_once(
    context: Context, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that are written again after a lost answer are in the stream once."""
    writer = Writer(connection)
    writer.lease(TASK)
    execute = redis.client.Pipeline.execute

    def lost(pipeline: Any) -> None:
        execute(pipeline)
        raise redis.exceptions.ConnectionError("the answer is lost")

    additions = [one("x", 1), Addition(task_id=TASK, lines=b"remark\n")]
    with monkeypatch.context() as patch:
        patch.setattr(redis.client.Pipeline, "execute", lost)
        with pytest.raises(Temporary):
            writer.append(additions)
    writer.append(additions)
    writer.append([one("y", 2)])
    assert [entry.lines for entry in entries(context)] == [b"x\n", b"remark\n", b"y\n"]
    assert writer.places(TASK) == {"u/web": LogPosition("stamp", 2)}


def test_a_line_that_comes_in_pieces(context: Context, connection: Any) -> None:
    """Every piece of a line is written, though none leads to another place in its log."""
    writer = Writer(connection)
    writer.lease(TASK)
    for piece in ("one", "two", "three"):
        writer.append([one(piece, 1)])
    assert [entry.lines for entry in entries(context)] == [b"one\n", b"two\n", b"three\n"]


def test_the_stream_is_bounded(
    context: Context, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest entries are dropped, so that the stream stays within its bounds."""
    monkeypatch.setattr(container_log_stream, "MAX_BYTES", 10_000)
    monkeypatch.setattr(container_log_stream, "MAX_ENTRIES", 50)
    writer = Writer(connection)
    writer.lease(TASK)
    writer.append([one("x" * 999, number) for number in range(1, 31)])
    found = entries(context, count=3)
    assert [entry.last for entry in found] == list(range(21, 31))
    writer.append([one("y", number) for number in range(31, 131)])
    assert connection.xlen(redis_keys.log(TASK)) == 50
    sizes = connection.hgetall(redis_keys.log_places(TASK))
    assert int(sizes[b":bytes"]) == 2 * 50
    assert 0 < connection.ttl(redis_keys.log(TASK)) <= 60


def test_the_reader_knows_how_far_the_furthest_watcher_is(
    context: Context, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unseen bytes are counted from the watcher that has seen the most."""
    monkeypatch.setattr(container_log_stream, "_AT_ONCE", 8)
    writer = Writer(connection)
    writer.lease(TASK)
    writer.append([one("x" * 99, number) for number in range(1, 11)])
    assert writer.unseen([TASK]) == {TASK: 0}, "nobody watches"
    entries(context)
    assert writer.unseen([TASK]) == {TASK: 1000}
    entries(context, count=2)
    assert writer.unseen([TASK]) == {TASK: 200}
    entries(context)
    assert writer.unseen([TASK]) == {TASK: 200}


def test_wishes_end(context: Context, connection: Any) -> None:
    """The request of a watcher that died expires soon."""

    async def want() -> bool:
        store = Context(context.folder, context.config).async_store
        try:
            return await Watched(store, TASK).want(1000.0)
        finally:
            await store.close()

    writer = Writer(connection)
    assert not asyncio.run(want())
    assert writer.wanted(1000.0) == {TASK}
    writer.lease(TASK)
    assert asyncio.run(want())
    assert writer.wanted(1000.0 + container_log_stream.WANTED_SECONDS) == set()


def test_redis_away() -> None:
    """Without Redis every step is an error that a retry can help."""
    writer = Writer(redis.Redis(port=1, retry=Retry(NoBackoff(), 0)))
    for step in (writer.wanted, writer.lease, writer.places):
        with pytest.raises(Temporary):
            step(TASK)  # type: ignore[arg-type]  # nothing gets so far as to look at it
