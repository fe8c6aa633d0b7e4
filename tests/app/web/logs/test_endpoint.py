"""The WebSocket of logs, in the process `web`."""

import itertools
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.context import open_context
from app.processes import web as web_process
from app.store.build_log import BuildLog
from app.web import request_limits
from app.web.logs import feed, feeds
from tests.support import market
from tests.support.held_tasks import end
from tests.support.log_watcher import refused, watching
from tests.support.waiting import eventually
from tests.support.watched_logs import Assign, Watchable
from tests.support.web_server import Web, serving


def test_the_address_of_the_answer_shows_the_log(task: Watchable) -> None:
    """The URLs in the answer to an assignment are enough to see both logs; a frame is a line."""
    with watching(task.address()) as watcher:
        task.write("one", "two", "")
        task.write("three")
        assert watcher.until("three") == ["one", "two", "", "three"]
    BuildLog(task.context.redis, task.id).tell("step 1")
    with watching(task.address("build")) as watcher:
        assert watcher.until("step 1") == ["step 1"]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (("&code=", "&code=1"), (401, "unauthorized")),
        (("&code=", "&koad="), (401, "unauthorized")),
        (("type=container", "type=build"), (401, "unauthorized")),
        (("type=container", "type=other"), (422, "invalid")),
        (("type=container", "type"), (422, "invalid")),
        (("space_id=", "space_id=x"), (422, "invalid")),
        (("space_id=", "job_uuid="), (401, "unauthorized")),
    ],
)
def test_any_other_address_is_refused(
    task: Watchable, change: tuple[str, str], answer: tuple[int, str]
) -> None:
    """A code is valid for one log of one task, and only as a whole."""
    assert refused(task.address().replace(*change)) == answer


def test_the_code_of_another_task_is_refused(assign: Assign) -> None:
    """The code of one task opens no other task's log."""
    first, second = assign(), assign()
    code = second.address().partition("&code=")[2]
    assert refused(first.address(plain=True) + f"&code={code}") == (401, "unauthorized")


def test_an_address_counts_for_its_time(task: Watchable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day after the task's time is over, the URL expires."""
    until = int(task.address().partition("&code=")[2].partition(".")[0])
    assert until == pytest.approx(time.time() + 900 + 3600 + 86400, abs=60)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 900 + 3600 + 86400 + 60)
    assert refused(task.address()) == (401, "expired")


def test_plain_addresses_where_the_operator_says_so(provider_folder: Path, redis_url: str) -> None:
    """Addresses of v0.3.0, without a code, work with PlainLogUrls; a wrong code is still wrong."""
    text = market.configuration(redis_url).replace("Port = 0", "Port = 0\nPlainLogUrls = true")
    (provider_folder / "config.toml").write_text(text)
    context = open_context(str(provider_folder))
    with serving(context) as web:
        task = Watchable(web, context)
        with watching(task.address(plain=True)) as watcher:
            task.write("plain")
            watcher.until("plain")
        assert refused(task.address() + "x") == (401, "unauthorized")
        unknown = task.address(plain=True).replace(task.data["job_source_uri"][-4:], "0000")
        assert refused(unknown) == (404, "unknown_task")


def test_plain_addresses_are_refused_otherwise(task: Watchable) -> None:
    """By default an address without a code shows nothing, nor whether there is such a task."""
    assert refused(task.address(plain=True)) == (401, "unauthorized")
    unknown = task.address(plain=True).replace(task.data["job_source_uri"][-4:], "0000")
    assert refused(unknown) == (401, "unauthorized")


def test_pings(task: Watchable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame `ping` comes about every 3 s; the time for a request's head is no limit here."""
    monkeypatch.setattr(request_limits, "HEAD_SECONDS", 0.5)
    with watching(task.address()) as quiet, watching(task.address("build")) as build:
        for _ in range(65):
            task.write("line")
            quiet.pass_time(0.1)
        build.pass_time(0.5)
        for watcher in (quiet, build):
            assert len(watcher.pings) >= 2
            gaps = [after - before for before, after in itertools.pairwise(watcher.pings)]
            assert all(gap < 4 for gap in gaps)
        assert quiet.lines == ["line"] * 65


def test_the_last_one_to_leave_ends_the_reading(task: Watchable) -> None:
    """The log is read while somebody watches, and no longer."""
    assert not task.is_wanted()
    with watching(task.address()):
        with watching(task.address()):
            eventually("the log is wanted", task.is_wanted)
        time.sleep(0.5)
        assert task.is_wanted()
    eventually("nobody wants the log", lambda: not task.is_wanted())


def test_a_later_watcher_sees_the_backlog(task: Watchable) -> None:
    """A second watcher begins with the first lines that are kept, and sees the rest live."""
    with watching(task.address()) as first:
        task.write("one")
        first.until("one")
        with watching(task.address()) as second:
            task.write("two")
            assert second.until("two") == first.until("two") == ["one", "two"]


def test_a_task_that_ends(task: Watchable) -> None:
    """When the log is over, the connection is closed with the reason."""
    with watching(task.address()) as watcher:
        task.write("last", over="the task is terminated")
        assert watcher.end() == (1000, "the task is terminated")
        assert watcher.lines == ["last"]
    end(task.context, task.data)
    BuildLog(task.context.redis, task.id).tell("step 1")
    with watching(task.address("build")) as watcher:
        assert watcher.end() == (1000, "the task is terminated")
        assert watcher.lines[0] == "step 1"


def test_too_many_watchers(assign: Assign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits a connection is closed at once with 1013, and places become free again."""
    first, second, third = assign(), assign(), assign()
    monkeypatch.setattr(feeds, "MAX_WATCHERS_OF_TASK", 2)
    monkeypatch.setattr(feeds, "MAX_WATCHERS", 3)
    monkeypatch.setattr(feeds, "MAX_FEEDS", 2)
    with watching(first.address()), watching(first.address("build")):
        with watching(first.address()) as late:
            assert late.end() == (1013, "2 connections watch this task; try again later")
        with watching(second.address()):
            with watching(third.address()) as late:
                assert late.end() == (1013, "3 connections watch logs; try again later")
            monkeypatch.setattr(feeds, "MAX_WATCHERS", 9)
            with watching(third.address()) as late:
                code, reason = late.end()
                assert (code, reason[:23]) == (1013, "the logs of 2 tasks are")
    time.sleep(0.3)
    with watching(third.address()) as watcher:
        third.write("room")
        watcher.until("room")


def test_a_slow_watcher_is_told_what_it_missed(
    task: Watchable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is too slow is told how many lines were skipped; others see all."""
    monkeypatch.setattr(feed, "MAX_BYTES", 300_000)
    monkeypatch.setattr(feed, "_LAG_BYTES", 150_000)
    text = "x" * 1000
    with watching(task.address()) as slow, watching(task.address()) as quick:
        for number in range(0, 6000, 50):
            task.write(*(f"{number + offset} {text}" for offset in range(50)))
            quick.until(f"{number + 49} ")
        numbers = [int(line.split()[0]) for line in quick.lines]
        assert numbers == list(range(6000))
        slow.until("5999 ")
        (gap,) = [line for line in slow.lines if "skipped" in line]
        seen = [int(line.split()[0]) for line in slow.lines if line != gap]
        assert seen == sorted(set(seen))
        assert int(gap.split()[2]) == 6000 - len(seen)


def test_a_client_that_takes_nothing_is_cut_off(
    provider_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that neither reads nor answers is disconnected, and leaves nothing behind."""
    make = web_process.server

    def impatient(*arguments: Any, **more: Any) -> Any:
        server = make(*arguments, **more)
        server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.5
        return server

    monkeypatch.setattr(web_process, "server", impatient)
    context = open_context(str(provider_folder))
    with serving(context) as web:
        task = Watchable(web, context)
        parts = task.address().partition(f":{web.port}")
        with web.connect() as connection:
            connection.setsockopt(1, 8, 4096)
            connection.sendall(
                f"GET {parts[2]} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            eventually("the log is wanted", task.is_wanted)
            for _ in range(50):
                task.write(*["x" * 1000] * 100)
            eventually("nobody wants the log", lambda: not task.is_wanted())


def test_a_log_that_nobody_reads(task: Watchable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remark says so while the process that reads logs is away."""
    monkeypatch.setattr(feed, "_REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(feed, "_UNREAD_SECONDS", 0.3)
    with watching(task.address()) as watcher:
        watcher.until("nobody reads this log yet")
        task.write("now")
        assert len(watcher.until("now")) == 2


def test_a_provider_that_stops(provider_folder: Path) -> None:
    """A shutdown closes every connection with 1012, and no client delays it."""
    context = open_context(str(provider_folder))
    with ExitStack() as stack:
        web = stack.enter_context(serving(context))
        task = Watchable(web, context)
        with watching(task.address()) as watcher, watching(task.address("build")):
            task.write("one")
            watcher.until("one")
            started = time.monotonic()
            stack.close()
            assert time.monotonic() - started < 8
            assert watcher.end()[0] == 1012
    assert not task.is_wanted()


def test_no_upgrade_reaches_anything_else(web: Web, task: Watchable) -> None:
    """No other path takes a WebSocket, and this one takes nothing else."""
    with pytest.raises(InvalidStatus) as error, watching(f"ws://127.0.0.1:{web.port}/webhooks"):
        pass
    assert error.value.response.status_code == 403
    assert web.call("GET", task.address().partition(str(web.port))[2]).status == 404
