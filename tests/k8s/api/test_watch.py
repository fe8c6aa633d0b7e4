"""The watch loop against API servers that die, stall, forget and talk nonsense."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from k8s.api import watch
from k8s.api.client import Cluster
from k8s.api.objects import Object, Pod
from k8s.api.watch import (
    Changed,
    Deleted,
    Idle,
    Listed,
    Timing,
)

CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
QUICK = Timing(
    watch_seconds=1, silence_seconds=0.4, first_delay_seconds=0.01, longest_delay_seconds=0.05
)
GENTLE = Timing(watch_seconds=1)
LINE = json.dumps(
    {"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "6"}}}
).encode()


class Watching:
    """A watch loop in a thread, and the events that it yielded."""

    def __init__(self, cluster: Cluster, path: str, timing: Timing, selector: str = "") -> None:
        self.events: list[Any] = []
        self.errors: list[tuple[str, float]] = []
        self._stopped = threading.Event()
        self._events = watch.follow(
            cluster,
            path,
            Object,
            selector=selector,
            stopped=self._stopped,
            on_error=lambda message, seconds: self.errors.append((message, seconds)),
            timing=timing,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for event in self._events:
            self.events.append(event)

    def until(self, holds: Callable[[], object], seconds: float = 15) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert self._thread.is_alive(), "the loop ended"
            assert time.monotonic() < deadline, (self.events, self.errors)
            time.sleep(0.01)

    def of(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def stop(self) -> float:
        """Stop it; return the seconds that it took."""
        begun = time.monotonic()
        self._stopped.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return time.monotonic() - begun


@pytest.fixture
def follow() -> Iterator[Callable[..., Watching]]:
    """Starts loops and stops them at the end."""
    started: list[Watching] = []

    def start_one(cluster: Cluster, path: str, timing: Timing = QUICK, **options: str) -> Watching:
        started.append(Watching(cluster, path, timing, **options))
        return started[-1]

    yield start_one
    for watching in started:
        watching.stop()


def config_map(namespace: str, name: str, **labels: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def make_namespace(cluster: Cluster, name: str) -> str:
    """Create a namespace; return the path of its ConfigMaps."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(f"/api/v1/namespaces/{name}", manifest)
    return CONFIG_MAPS.format(name)


def page(*names: str, more: str = "") -> bytes:
    """A page of a listing."""
    items = [{"metadata": {"name": name, "resourceVersion": "5"}} for name in names]
    metadata = {"resourceVersion": "5", "continue": more}
    return json.dumps({"kind": "PodList", "metadata": metadata, "items": items}).encode()


def names(listed: Listed[Object]) -> list[str]:
    """Return the names of the listed objects."""
    return [listed_object.metadata.name for listed_object in listed.objects]


def test_events(simulated: Any, follow: Callable[..., Watching]) -> None:
    """Existing objects come first, page by page, then changes and deletions."""
    cluster = simulated.cluster
    path = make_namespace(cluster, "watch-told")
    for name in ("a", "b", "c", "other"):
        team = "two" if name == "other" else "one"
        cluster.apply(f"{path}/{name}", config_map("watch-told", name, team=team))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "PAGE_SIZE", 2)
        watching = follow(cluster, path, GENTLE, selector="team=one")
        watching.until(lambda: watching.events)
    assert names(watching.events[0]) == ["a", "b", "c"]
    cluster.apply(f"{path}/d", config_map("watch-told", "d", team="one"))
    cluster.apply(f"{path}/a", config_map("watch-told", "a", team="two"))
    cluster.delete(f"{path}/b")
    watching.until(lambda: len(watching.of(Deleted)) == 2)
    assert [event.object.metadata.name for event in watching.of(Changed)] == ["d"]
    assert [event.object.metadata.name for event in watching.of(Deleted)] == ["a", "b"]
    watching.until(lambda: len(watching.of(Idle)) >= 2)
    assert len(watching.of(Listed)) == 1, "a watch that ends in time is no reason to list again"
    assert not watching.errors


def test_killed(start: Any, free_port: int, follow: Callable[..., Watching]) -> None:
    """An API server that dies and comes back with fewer objects is listed again."""
    token = "a-token-that-survives"
    first = start(port=free_port, token=token)
    cluster = first.cluster
    path = make_namespace(cluster, "killed")
    cluster.apply(f"{path}/lost", config_map("killed", "lost"))
    watching = follow(cluster, path, GENTLE)
    watching.until(lambda: watching.events)
    assert names(watching.events[0]) == ["lost"]
    first.end(signal.SIGKILL)
    watching.until(lambda: watching.errors)
    start(port=free_port, token=token)
    watching.until(lambda: len(watching.of(Listed)) == 2)
    assert names(watching.of(Listed)[1]) == []
    make_namespace(cluster, "killed")
    cluster.apply(f"{path}/new", config_map("killed", "new"))
    watching.until(lambda: watching.of(Changed))


def test_expired(scripted: Any, follow: Callable[..., Watching]) -> None:
    """A version that is too old leads to a new listing at once, silently the first time."""
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}

    def script(request: Any) -> None:
        request.answer(200)
        request.write(json.dumps(expired).encode() if request.is_watch else page("a"))

    watching = follow(scripted(script), "/api/v1/pods")
    watching.until(lambda: len(watching.of(Listed)) >= 4)
    listings = len(watching.of(Listed))
    assert len(watching.errors) >= listings - 3, "but not for ever without a pause"
    assert watching.errors[0][0] == "watching /api/v1/pods: too old"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "ended the watch at once"),
        (LINE + b"\n" + LINE[:40], "Input data was truncated"),
        (LINE + b"\n<html>nonsense\n", "malformed"),
        (b'{"type": "SPLENDID", "object": {}}\n', "unknown type 'SPLENDID'"),
        (b'{"type": "ADDED", "object": {"metadata": {"name": 1}}}\n', "Expected `str`"),
        (b'{"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}\n', "etcd is awa"),
        (b'{"type": "ADDED", "object": {"metadata": {"name": "\xff"}}}\n', "invalid"),
        (b'{"type": "ADDED", "object": {"x": ' + b"[" * 100_000 + b"\n", "recursion"),
    ],
)
def test_nonsense(scripted: Any, follow: Callable[..., Watching], body: bytes, error: str) -> None:
    """Any malformed event leads to a new listing, however often."""

    def script(request: Any) -> None:
        request.answer(200)
        request.write(body if request.is_watch else page("a"))

    watching = follow(scripted(script), "/api/v1/pods")
    watching.until(lambda: len(watching.of(Listed)) >= 3)
    assert error in watching.errors[0][0]


@pytest.mark.parametrize("head", [True, False])
def test_stalled(scripted: Any, follow: Callable[..., Watching], *, head: bool) -> None:
    """A watch without a byte for too long is given up, whether or not it was answered."""

    def script(request: Any) -> None:
        if not request.is_watch:
            request.answer(200)
            request.write(page("a"))
            return
        if head:
            request.answer(200)
        time.sleep(1.5)

    watching = follow(scripted(script), "/api/v1/pods")
    watching.until(lambda: len(watching.of(Listed)) >= 2)
    assert "timed out" in watching.errors[0][0]


def test_refused(scripted: Any, follow: Callable[..., Watching]) -> None:
    """A refusal is retried with growing delays up to the longest, and reported each time."""
    watching = follow(scripted(lambda request: request.answer(403)), "/api/v1/pods")
    watching.until(lambda: len(watching.errors) >= 8)
    delays = [seconds for _, seconds in watching.errors]
    assert delays[0] <= 0.01
    assert 0.025 <= delays[7] <= 0.05
    assert not watching.of(Listed)


def test_endless_pages(
    monkeypatch: pytest.MonkeyPatch, scripted: Any, follow: Callable[..., Watching]
) -> None:
    """A listing that never ends is given up."""
    monkeypatch.setattr(watch, "MAX_OBJECTS", 50)

    def script(request: Any) -> None:
        request.answer(200)
        request.write(page(*"abcdefghij", more="again"))

    watching = follow(scripted(script), "/api/v1/pods")
    watching.until(lambda: watching.errors)
    assert "more than 50 objects" in watching.errors[0][0]


def test_relisted(simulated: Any, follow: Callable[..., Watching]) -> None:
    """Everything is relisted from time to time even without an error."""
    path = make_namespace(simulated.cluster, "watch-relisted")
    watching = follow(simulated.cluster, path, Timing(watch_seconds=1, relist_seconds=0.1))
    watching.until(lambda: len(watching.of(Listed)) >= 2)
    assert not watching.errors


def test_stops(simulated: Any, follow: Callable[..., Watching]) -> None:
    """Stopped, it ends with the watch that is under way, or in the middle of a pause."""
    watching = follow(simulated.cluster, "/api/v1/pods", GENTLE)
    watching.until(lambda: watching.events)
    assert watching.stop() < 2
    slow = Timing(first_delay_seconds=600, longest_delay_seconds=600)
    waiting = follow(simulated.cluster, "/api/v1/nonsense", slow)
    waiting.until(lambda: waiting.errors)
    assert waiting.stop() < 1


def test_pod_of_bookmark(simulated: Any) -> None:
    """A bookmark's object, which has nulls where a pod has lists, is not taken for a pod."""
    stopped = threading.Event()
    events = watch.follow(
        simulated.cluster,
        "/api/v1/pods",
        Pod,
        selector="",
        stopped=stopped,
        on_error=lambda message, _: pytest.fail(message),
        timing=Timing(watch_seconds=1),
    )
    assert isinstance(next(events), Listed)
    assert next(events) == Idle()
    stopped.set()
    assert list(events) in ([], [Idle()])
