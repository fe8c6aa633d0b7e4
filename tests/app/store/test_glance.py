"""What people see of the memory, on a real Redis, whatever stands there."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cli import task_get, task_list
from app.errors import ConfigError, Temporary
from app.store import Store, redis_keys
from app.store.glance import Glance
from app.store.job_data import JobData
from app.store.lenient_decode import salvaged
from app.store.records import (
    Callback,
    MarketStatus,
    PodSummaries,
    PodSummary,
    State,
    Task,
    TimelineEntry,
)
from app.store.wire import Elaborate, Wire, connect
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


Open = Callable[..., Glance]


@pytest.fixture
def glance_at() -> Iterator[Open]:
    """What opens a glance at a URL; it is closed at the end."""
    with ExitStack() as stack:
        yield lambda url, password="": stack.enter_context(closing(Glance(url, password)))


def remembered(connection: redis.Redis) -> Task:
    """Return a task as the store wrote it."""
    job = msgspec.convert(market.job(), JobData)
    change = transitions.accepted(
        job, host="x.cp.example.com", now=time.time(), start_timeout_seconds=3600
    )
    store = Store(connection)
    store.commit(change)
    found = store.get(job.uuid)
    assert found
    return found


@pytest.mark.parametrize("options", ["", "?socket_keepalive=yes"])
def test_what_the_store_wrote(
    connection: redis.Redis, redis_url: str, options: str, glance_at: Open
) -> None:
    """A glance sees what the store wrote, over either connection, by each uuid."""
    task = remembered(connection)
    glance = glance_at(redis_url + options)
    assert glance.tasks() == [task]
    for name in (task.id, task.task_uuid):
        assert glance.find(name) == [task]
    assert glance.timeline(task.id) == Store(connection).timeline(task.id)
    assert glance.find("nothing") == []
    assert (glance.count_active(), glance.is_watched()) == (1, False)


def test_what_lagrange_and_the_watcher_said(
    connection: redis.Redis, redis_url: str, glance_at: Open
) -> None:
    """The market's words and the watcher's pods are read; without them there is nothing."""
    glance = glance_at(redis_url)
    assert (glance.market(), glance.said("x"), glance.pods("x")) == ({}, None, None)
    said, pods = (
        MarketStatus(space_status="Running", at=1),
        PodSummaries(at=1, pods=(PodSummary(name="web-1"),)),
    )
    connection.hset(redis_keys.MARKET, "x", msgspec.json.encode(said))
    connection.set(redis_keys.pods("x"), msgspec.json.encode(pods))
    assert (glance.market(), glance.said("x"), glance.pods("x")) == ({"x": said}, said, pods)


def test_which_connection() -> None:
    """A plain URL needs no redis-py; anything more is left to it; what is no URL is refused."""
    assert isinstance(connect("redis://r-1.example.com:6380/2", ""), Wire)
    for url in ("rediss://r", "redis://u:p@r", "unix:///r", "redis://r?db=1", "redis://[::1]"):
        assert isinstance(connect(url, ""), Elaborate)
    with pytest.raises(ConfigError) as refused:
        connect("http://u:secret@r", "")
    assert "secret" not in str(refused.value)


def test_password_and_database(connection: redis.Redis, redis_url: str, glance_at: Open) -> None:
    """The password opens a Redis that has one, and the URL's database is read."""
    with redis.Redis.from_url(f"{redis_url}/3") as other:
        other.set(redis_keys.INVENTORY, "x")
    assert glance_at(f"{redis_url}/3").is_watched()
    assert not glance_at(redis_url).is_watched()
    connection.config_set("requirepass", "geheim")
    try:
        assert not glance_at(redis_url, "geheim").is_watched()
        for wrong in ("", "falsch"):
            with pytest.raises(Temporary, match=r"NOAUTH|WRONGPASS"):
                glance_at(redis_url, wrong).tasks()
    finally:
        connection.config_set("requirepass", "")


def test_a_connection_that_was_lost(
    connection: redis.Redis, redis_url: str, glance_at: Open
) -> None:
    """After an error the next question opens another connection."""
    others = redis_clients.known(connection)
    glance = glance_at(redis_url)
    assert glance.tasks() == []
    redis_clients.cut_off(connection, others)
    with pytest.raises(Temporary):
        glance.tasks()
    assert glance.tasks() == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1\r\n"])
def test_something_that_is_no_redis(answer: bytes, glance_at: Open) -> None:
    """What answers otherwise, or closes, is told as Redis that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.recv(100)
                accepted.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Temporary, match="Redis does not answer"):
            glance_at(f"redis://127.0.0.1:{server.getsockname()[1]}").tasks()
        thread.join()


def test_values_of_another_type(connection: redis.Redis, redis_url: str, glance_at: Open) -> None:
    """Keys that hold something else have nothing to show."""
    connection.zadd(redis_keys.TASKS, {"x": 1})
    for key in (
        redis_keys.task("x"),
        redis_keys.MARKET,
        redis_keys.timeline("x"),
        redis_keys.callbacks("x"),
    ):
        connection.set(key, "y")
    connection.sadd(redis_keys.pods("x"), "y")
    glance = glance_at(redis_url)
    assert glance.tasks() == []
    assert not any((glance.market(), glance.said("x"), glance.pods("x"), glance.reports()))
    assert not any((glance.timeline("x"), glance.callbacks("x")))


def test_a_record_of_a_newer_version(
    connection: redis.Redis, redis_url: str, glance_at: Open
) -> None:
    """Its new state is shown by its word, its new fields are left out, all others are there."""
    task = remembered(connection)
    record = json.loads(msgspec.json.encode(task)) | {"state": "paused", "new": 1, "revision": "2"}
    connection.hset(redis_keys.task(task.id), "record", json.dumps(record))
    (found,) = glance_at(redis_url).tasks()
    assert (str(found.state), found.host, found.revision) == ("paused", task.host, 1)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_record(
    connection: redis.Redis, redis_url: str, content: bytes, glance_at: Open
) -> None:
    """It is shown by its id, as unreadable."""
    connection.zadd(redis_keys.TASKS, {"some-id": 1})
    connection.hset(redis_keys.task("some-id"), "record", content)
    found = [(one.id, str(one.state)) for one in glance_at(redis_url).tasks()]
    assert found == ([("some-id", "unreadable")] if content else [])


TEXTS = {field.name for field in msgspec.structs.fields(Task) if field.type is str}
WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x1b\x9b\n\u202e\u2066["))
RECORDS = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys({*TEXTS, "state"}, WORDS)).map(
        lambda one: json.dumps(one).encode()
    ),
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from([*FIELDS, "x"]), JSON, max_size=8).map(
        lambda one: json.dumps(one).encode()
    ),
)


def check(*rows: tuple[str, ...]) -> None:
    """Every cell is one line that no terminal obeys."""
    for row in rows:
        assert all(cell.isprintable() for cell in row)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(content=RECORDS)
def test_every_record_can_be_shown(content: bytes) -> None:
    """Whatever a record is, the table, the page and JSON show it, one line a row."""
    missing: dict[str, Any] = {
        "id": "x",
        "job": JobData(uuid="", duration=1, job_source_uri=""),
        "host": "",
        "created_at": 0,
        "start_deadline": 0,
        "duration": 0,
    }
    task = salvaged(content, Task, **missing)
    if task is None:
        return
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
    """Likewise whatever Lagrange, the timeline, the pods and the callbacks are said to be."""
    said = salvaged(content, MarketStatus, space_status="")
    task_list.row(
        Task(
            id="x",
            job=JobData(uuid="", duration=1, job_source_uri=""),
            host="",
            created_at=0,
            start_deadline=0,
            duration=0,
            state=State.RUNNING,
        ),
        said,
        verbose=True,
    )
    check((task_get._market_status(said),))
    if line := salvaged(content, TimelineEntry, at=0, what=""):
        check(*task_get._events([line]))
    if pods := salvaged(content, PodSummaries):
        check(*task_get._pods(pods))
    missing: dict[str, Any] = {"sequence": 0, "status": "", "reason": "", "timestamp": 0}
    if callback := salvaged(content, Callback, message_id="", **missing):
        check(*task_get._callbacks([callback]))
