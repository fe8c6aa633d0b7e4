"""Task logs on a scripted API server that fails."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from k8s.api.client import Cluster
from k8s.logs import session
from tests.support.api_servers import Request, Script
from tests.support.task_logs import Show

POD = {
    "metadata": {"name": "web-abcde", "namespace": "ns", "uid": "u-1"},
    "spec": {"nodeName": "node-1"},
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "web", "state": {"running": {}}}],
    },
}
Serve = Callable[[Script], Cluster]


def line(number: int) -> bytes:
    """A line of the log."""
    return f"2026-11-22T10:00:{number // 10:02}.{number % 10}Z {number}\n".encode()


class Log:
    """A pod's log, which is sent as `sessions` say, one after another."""

    def __init__(self, *sessions: Callable[[Request], object], pod: dict[str, Any] = POD) -> None:
        self.sessions = list(sessions)
        self.queries: list[dict[str, str]] = []
        self.pod = pod
        self.lists = 0
        self.left = threading.Event()

    def __call__(self, request: Request) -> None:
        """Answer a request."""
        if "container" not in request.query:
            self.lists += 1
            request.answer(200)
            request.write(json.dumps({"kind": "PodList", "items": [self.pod]}).encode())
            return
        self.queries.append(request.query)
        if self.sessions:
            self.sessions.pop(0)(request)
        else:
            request.answer(200)
            self.left.wait(10)


def sending(*numbers: int, half: bytes = b"") -> Callable[[Request], None]:
    """Sends lines, and ends in the middle of what follows."""

    def send(request: Request) -> None:
        request.answer(200)
        for number in numbers:
            request.write(line(number))
        request.write(half)

    return send


def test_no_line_twice_after_a_connection_broke(scripted: Serve, show: Show) -> None:
    """A broken stream is requested again from its last line on."""
    log = Log(
        sending(1, 2, 3),
        sending(3, 4, 5),
        sending(),
        sending(1, 2, 3, 4, 5, 6),
    )
    shown = show(scripted(log), "ns", "t", last_lines=7)
    shown.until(" 6")
    assert [text.split()[-1] for text in shown.lines] == ["1", "2", "3", "4", "5", "6"]
    first, second, third, fourth = log.queries[:4]
    assert first == {"container": "web", "timestamps": "true", "follow": "true", "tailLines": "7"}
    assert "tailLines" not in second
    assert second["sinceTime"] == "2026-11-22T10:00:00.3Z"
    assert third["sinceTime"] == fourth["sinceTime"] == "2026-11-22T10:00:00.5Z"
    log.left.set()


def test_a_refusal_is_asked_again(scripted: Serve, show: Show) -> None:
    """An API server that is busy, or a kubelet that is away, does not end a log."""
    log = Log(
        lambda request: request.answer(500),
        lambda request: request.answer(404),
        lambda request: request.answer(429),
        sending(1),
    )
    shown = show(scripted(log), "ns", "t")
    assert shown.until(" 1") == ["2026-11-22T10:00:00.1Z [web-abcde/web] 1"]
    log.left.set()


def test_a_refusal_is_told(scripted: Serve, show: Show) -> None:
    """When we may not read a log, who watches it learns so, once; it goes on when we may."""

    def forbidden(request: Request) -> None:
        request.answer(403)
        request.write(json.dumps({"kind": "Status", "message": "may not get pods/log"}).encode())

    log = Log(*[forbidden] * 4, sending(1))
    shown = show(scripted(log), "ns", "t")
    texts = [text.split(" ", 2)[2] for text in shown.until(" 1")]
    assert texts == ["web-abcde cannot be read: may not get pods/log", "1"]
    log.left.set()


def test_silence(scripted: Serve, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which nothing comes is taken for dead, and the log goes on where it was."""
    monkeypatch.setattr(session, "SILENCE_SECONDS", 0.3)
    log = Log()

    def silent(request: Request) -> None:
        sending(1)(request)
        log.left.wait(10)

    log.sessions = [silent, sending(1, 2)]
    shown = show(scripted(log), "ns", "t")
    shown.until(" 2")
    assert [text.split()[-1] for text in shown.lines] == ["1", "2"]
    assert log.lists == 1
    log.left.set()


def test_a_log_that_ended_is_read_once(scripted: Serve, show: Show) -> None:
    """Of a container that has ended the log is read to its end, and then left alone."""
    ended = {"name": "web", "state": {"terminated": {"exitCode": 0}}}
    status = {"phase": "Succeeded", "containerStatuses": [ended]}
    log = Log(sending(1, half=b"2026-11-22T10:00:00.2Z half"), pod={**POD, "status": status})
    shown = show(scripted(log), "ns", "t")
    shown.until("half")
    before = log.lists
    while log.lists < before + 2:
        shown.read()
    assert len(log.queries) == 1
    assert len(shown.lines) == 2
