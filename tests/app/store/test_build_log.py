"""The log of a build, in a real Redis."""

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.store import Store, build_log, redis_keys
from app.store.build_log import BuildLog


def test_what_is_written_is_read_from_the_beginning(redis_url: str) -> None:
    """Lines come in their order, in pieces, each with the place to go on from."""
    connection = redis.Redis.from_url(redis_url)
    journal = BuildLog(connection, "task")
    written = [f"line {number} ü" for number in range(250)]
    for line in written:
        journal.tell(line)
    journal.flush()
    first = Store(connection).read(build_log.lines("task", count=100))
    rest = Store(connection).read(build_log.lines("task", after=first[-1][0]))
    assert [line for _, line in first + rest] == written
    assert Store(connection).read(build_log.lines("task", after=rest[-1][0])) == []
    assert Store(connection).read(build_log.lines("other")) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.text(max_size=2000).map(lambda text: text * 20))
def test_long_lines(redis_url: str, line: str) -> None:
    """A line of any length and of any characters is kept, in pieces of a bounded size."""
    with redis.Redis.from_url(redis_url) as connection:
        journal = BuildLog(connection, "task")
        journal.begin()
        journal.tell(line)
        journal.flush()
        found = [piece or "" for _, piece in Store(connection).read(build_log.lines("task"))]
    assert "".join(found) == line.encode(errors="replace").decode()
    assert all(len(piece.encode()) <= build_log.MAX_LINE_BYTES for piece in found)


def test_a_new_build_begins_anew(redis_url: str) -> None:
    """The lines of an earlier build of the task are gone."""
    connection = redis.Redis.from_url(redis_url)
    for line in ("old", "new"):
        journal = BuildLog(connection, "task")
        journal.begin()
        journal.tell(line)
        journal.flush()
    assert [line for _, line in Store(connection).read(build_log.lines("task"))] == ["new"]


def test_it_is_bounded_and_forgotten(redis_url: str) -> None:
    """An endless log keeps its last lines, and every log ends some day."""
    connection = redis.Redis.from_url(redis_url)
    journal = BuildLog(connection, "task")
    for number in range(25_000):
        journal.tell(f"{number:100}")
    journal.flush()
    assert Store(connection).read(build_log.is_cut("task"))
    entries = Store(connection).read(build_log.lines("task", count=100_000))
    assert [int(line or "") for _, line in entries] == [*range(25_000 - len(entries), 25_000)]
    used = connection.memory_usage(redis_keys.build_log("task"), samples=0) or 0
    assert 0.8 * build_log.MAX_BYTES < used < 1.2 * build_log.MAX_BYTES
    assert connection.ttl(redis_keys.build_log("task")) > 0


def test_the_end_of_a_build_is_seen(redis_url: str) -> None:
    """The end of a build can be seen in its log."""
    connection = redis.Redis.from_url(redis_url)
    journal = BuildLog(connection, "task")
    journal.tell("line")
    journal.end()
    assert [line for _, line in Store(connection).read(build_log.lines("task"))] == ["line", None]


def test_redis_may_be_away() -> None:
    """A build goes on without its log."""
    connection = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    journal = BuildLog(connection, "task")
    journal.begin()
    journal.tell("line")
    journal.flush()
