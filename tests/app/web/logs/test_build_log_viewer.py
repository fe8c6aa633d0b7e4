"""The log of a build, as its watchers see it."""

from contextlib import ExitStack
from typing import Any

import pytest

from app.store import build_log
from app.store.build_log import BuildLog
from app.web.logs import build_log_viewer
from tests.support.held_tasks import end
from tests.support.log_watcher import watching
from tests.support.watched_logs import Watchable

_LINES, _WATCHERS = 2500, 20


def test_many_who_come_at_once(task: Watchable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees the whole log from its beginning; it is read once for all of them."""
    positions: list[str] = []
    lines = build_log.lines

    def counted(task_id: str, **more: Any) -> Any:
        positions.append(more["after"])
        return lines(task_id, **more)

    monkeypatch.setattr(build_log, "lines", counted)
    monkeypatch.setattr(build_log_viewer, "_SHARED_SECONDS", 20)
    journal = BuildLog(task.context.redis, task.id)
    written = [f"step {number}" for number in range(_LINES)]
    for line in written:
        journal.tell(line)
    journal.flush()
    with ExitStack() as stack:
        address = task.address("build")
        watchers = [stack.enter_context(watching(address)) for _ in range(_WATCHERS)]
        for watcher in watchers:
            assert watcher.until(written[-1]) == written
    assert len(positions) == len(set(positions))


def test_the_last_lines(task: Watchable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines from before the task's end are sent before the connection is closed."""
    monkeypatch.setattr(build_log_viewer, "_SHARED_SECONDS", 20)
    monkeypatch.setattr(build_log_viewer, "_TASK_SECONDS", 0.1)
    journal = BuildLog(task.context.redis, task.id)
    journal.tell("first")
    with watching(task.address("build")) as watcher:
        watcher.until("first")
        watcher.pass_time(0.5)
        journal.tell("last")
        journal.end()
        end(task.context, task.data)
        assert watcher.end() == (1000, "the task is terminated")
    assert watcher.lines[:2] == ["first", "last"]


def test_secrets(task: Watchable) -> None:
    """A secret of the configuration is redacted in a build's log."""
    secret = task.context.config.webhook.secrets[0]
    journal = BuildLog(task.context.redis, task.id)
    journal.tell(f"{'x' * 3000} {secret} y")
    journal.flush()
    with watching(task.address("build")) as watcher:
        assert watcher.until(" y") == [f"{'x' * 3000} [secret] y"]
