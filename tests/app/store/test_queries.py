"""Reads of a real Redis, whatever it holds."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.cli import task_get, task_list
from app.context import Context
from app.errors import Temporary, UnreadableRecord
from app.store import Store, decode, redis_keys
from app.store.job_data import JobData
from app.store.records import MarketStatus, PodSummaries, PodSummary, Task
from app.tasks import task_json, transitions
from tests.support import market, redis_clients

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [field.name for field in msgspec.structs.fields(Task)]


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def remembered(connection: redis.Redis) -> Task:
    """Return a task as the store wrote it."""
    job = msgspec.convert(market.job(), JobData)
    change = transitions.accepted(
        job, host="x.cp.example.com", now=time.time(), start_timeout_seconds=3600
    )
    store = Store(connection)
    store.commit(change)
    task = store.get(job.uuid)
    assert task
    return task


def test_tasks(connection: redis.Redis) -> None:
    """A committed task is listed, and is known by each of its uuids."""
    task = remembered(connection)
    store = Store(connection)
    assert store.tasks() == [task]
    for name in (task.id, task.task_uuid):
        assert store.find(name) == store.find_any(name) == [task]
    assert [entry.what for entry in store.timeline(task.id)] == ["accepted"]
    assert store.find_any("nothing") == []
    assert (store.count_active(), store.is_watched()) == (1, False)


def test_what_lagrange_and_the_watcher_said(connection: redis.Redis) -> None:
    """Lagrange's answers and the watcher's pods are read; without them there is nothing."""
    store = Store(connection)
    assert (store.market_statuses(), store.market_status("x"), store.pods("x")) == ({}, None, None)
    status = MarketStatus(space_status="Running", at=1)
    pods = PodSummaries(at=1, pods=(PodSummary(name="web-1"),))
    connection.hset(redis_keys.MARKET, "x", msgspec.json.encode(status))
    connection.set(redis_keys.pods("x"), msgspec.json.encode(pods))
    assert store.market_statuses() == {"x": status}
    assert (store.market_status("x"), store.pods("x")) == (status, pods)


def test_password_and_database(context: Context, redis_url: str) -> None:
    """The password opens a Redis that has one, and the URL's database is read."""

    def opened(url: str, password: str = "") -> Store:
        api = replace(context.config.api, redis_url=url, redis_password=password)
        return Context(context.folder, replace(context.config, api=api)).store

    with redis.Redis.from_url(f"{redis_url}/3") as other:
        other.set(redis_keys.INVENTORY, "x")
    assert opened(f"{redis_url}/3").is_watched()
    assert not opened(redis_url).is_watched()
    context.redis.config_set("requirepass", "geheim")
    try:
        assert not opened(redis_url, "geheim").is_watched()
        refusal = r"Redis does not answer: .*(authenticated|password)"
        for wrong in ("", "falsch"):
            with pytest.raises(Temporary, match=refusal):
                opened(redis_url, wrong).tasks()
    finally:
        context.redis.config_set("requirepass", "")


def test_a_connection_that_was_lost(connection: redis.Redis, redis_url: str) -> None:
    """A read opens another connection in place of one that was cut off."""
    others = redis_clients.known(connection)
    with redis.Redis.from_url(redis_url) as other:
        store = Store(other)
        assert store.tasks() == []
        redis_clients.cut_off(connection, others)
        assert store.tasks() == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n"])
def test_something_that_is_no_redis(answer: bytes) -> None:
    """A server that answers otherwise, or closes, counts as Redis that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.recv(100)
                accepted.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        other = redis.Redis(port=port, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        with other, pytest.raises(Temporary, match="Redis does not answer"):
            Store(other).tasks()
        thread.join()


def test_values_of_another_type(connection: redis.Redis) -> None:
    """Keys of another type have nothing to show; for work they are an error."""
    connection.zadd(redis_keys.TASKS, {"x": 1})
    for key in (
        redis_keys.task("x"),
        redis_keys.MARKET,
        redis_keys.REPORTS,
        redis_keys.timeline("x"),
        redis_keys.callbacks("x"),
    ):
        connection.set(key, "y")
    connection.sadd(redis_keys.pods("x"), "y")
    store = Store(connection)
    assert store.tasks() == store.find_any("x") == []
    assert not any((store.market_statuses(), store.market_status("x"), store.reports()))
    assert not any((store.pods("x"), store.timeline("x"), store.callbacks("x")))
    for read in (store.get, store.find):
        with pytest.raises(Temporary, match="WRONGTYPE"):
            read("x")


def test_a_record_of_a_newer_version(connection: redis.Redis) -> None:
    """Fields that are not known are left out; a record with a new state is unreadable."""
    task = remembered(connection)
    record = json.loads(msgspec.json.encode(task)) | {"new": 1}
    store = Store(connection)
    connection.hset(redis_keys.task(task.id), "record", json.dumps(record))
    assert store.tasks() == [task]
    connection.hset(redis_keys.task(task.id), "record", json.dumps(record | {"state": "paused"}))
    for found in (store.tasks(), store.find_any(task.task_uuid)):
        assert [(one.id, str(one.state)) for one in found] == [(task.id, "unreadable")]
    with pytest.raises(UnreadableRecord):
        store.find(task.task_uuid)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_record(connection: redis.Redis, content: bytes) -> None:
    """A broken record is shown by its id, as unreadable, and hides no other."""
    task = remembered(connection)
    connection.zadd(redis_keys.TASKS, {"some-id": 1})
    connection.hset(redis_keys.task("some-id"), "record", content)
    shown = [(one.id, str(one.state)) for one in Store(connection).tasks()]
    unreadable = [("some-id", "unreadable")] if content else []
    assert shown == [*unreadable, (task.id, "accepted")]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_what_is_no_part_of_a_record(connection: redis.Redis, content: bytes) -> None:
    """Callbacks and lines of a timeline are shown as unreadable, all else is left out."""
    connection.hset(redis_keys.callbacks("x"), "1", content)
    connection.rpush(redis_keys.timeline("x"), content)
    connection.set(redis_keys.pods("x"), content)
    for key in (redis_keys.MARKET, redis_keys.REPORTS):
        connection.hset(key, "x", content)
    store = Store(connection)
    assert [callback.status for callback in store.callbacks("x")] == ["unreadable"]
    assert [entry.what for entry in store.timeline("x")] == ["unreadable"]
    assert not any((store.pods("x"), store.market_statuses(), store.reports()))


TEXTS = {field.name for field in msgspec.structs.fields(Task) if field.type is str}
WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x1b\x9b\n\u202e\u2066["))
RECORDS = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys({*TEXTS, "state"}, WORDS)).map(
        lambda document: json.dumps(document).encode()
    ),
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from([*FIELDS, "x"]), JSON, max_size=8).map(
        lambda document: json.dumps(document).encode()
    ),
)


def check(*rows: tuple[str, ...]) -> None:
    """Every cell is one line that no terminal obeys."""
    for row in rows:
        assert all(cell.isprintable() for cell in row)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(content=RECORDS)
def test_every_record_can_be_shown(content: bytes) -> None:
    """The table, the page and JSON show any record, one line a row."""
    task = decode.any_task(content, task_id="x")
    for verbose in (False, True):
        row = task_list.row(task, None, verbose=verbose)
        check(row)
        lines = list(task_list.plain([row]))
        assert len(lines) == 2
    task_get._print(task, None)
    json.dumps(task_json.summary(task))


@settings(max_examples=200)
@given(content=RECORDS)
def test_every_part_can_be_shown(content: bytes) -> None:
    """Any market status, timeline entry, pods and callback can be shown, too."""
    status = decode.readable(content, MarketStatus)
    task_list.row(decode.any_task(b"{", task_id="x"), status, verbose=True)
    check((task_get._market_status(status),))
    check(*task_get._events([decode.any_timeline_entry(content)]))
    if pods := decode.readable(content, PodSummaries):
        check(*task_get._pods(pods))
    check(*task_get._callbacks([decode.any_callback(content)]))
