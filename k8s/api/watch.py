"""What happens to the objects of a collection, for as long as the process lives.

A watch is not to be trusted: it ends, stalls, is cut off, and forgets. So everything is listed
first and again every few minutes, and after any error the version that the watch had reached is
forgotten. Who follows learns from each listing what was deleted while nobody looked.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import SystemRandom
from threading import Event as Flag
from typing import Generic, TypeVar

import msgspec

from k8s.api.client import MAX_OBJECTS, PAGE_SIZE, Cluster
from k8s.api.errors import ClusterError, Gone, Unavailable
from k8s.api.objects import Object, Part

T = TypeVar("T", bound=Object)

AT_ONCE_SECONDS = 1.0

_GONE = 410
_NONSENSE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """Everything that there is now; what is not among `objects` is no more."""

    objects: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """The object is new or has changed; possibly told before."""

    object: T


@dataclass(frozen=True, slots=True)
class Deleted(Generic[T]):
    """The object is no more, or the selector no longer selects it; this is how it was last."""

    object: T


@dataclass(frozen=True, slots=True)
class Idle:
    """The loop lives and has nothing to tell: the moment to see to what time brings about."""


Event = Listed[T] | Changed[T] | Deleted[T] | Idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take.

    Attributes:
        watch_seconds: One watch request; the API server sends a bookmark before its end. At most
            so long after `stopped` is set or the last event does the loop notice, or tick.
        silence_seconds: Without a byte of a watch for so long, it has stalled.
        relist_seconds: From one listing to the next.
        first_delay_seconds: After a first failure; doubles with each that follows.
        longest_delay_seconds: After any failure.
    """

    watch_seconds: int = 10
    silence_seconds: float = 15.0
    relist_seconds: float = 300.0
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 30.0


class _PageMetadata(Part, frozen=True, kw_only=True):
    resource_version: str = ""
    more: str = msgspec.field(default="", name="continue")


class _Page(Part, Generic[T], frozen=True, kw_only=True):
    metadata: _PageMetadata = _PageMetadata()
    items: tuple[T, ...] | None = ()


class _Sent(Part, frozen=True, kw_only=True):
    type: str
    object: msgspec.Raw


class _Status(Part, frozen=True, kw_only=True):
    code: int = 0
    reason: str = ""
    message: str = ""


_sent = msgspec.json.Decoder(_Sent)
_bookmark = msgspec.json.Decoder(Object)
_status = msgspec.json.Decoder(_Status)


def follow(
    cluster: Cluster,
    path: str,
    kind: type[T],
    *,
    selector: str,
    stopped: Flag,
    on_error: Callable[[str, float], None],
    timing: Timing | None = None,
) -> Iterator[Event[T]]:
    """Everything that happens to the objects of a collection, until `stopped` is set.

    Nothing that the cluster does ends it: every failure is told to `on_error` with the seconds
    until the next attempt, and is followed by a new listing.

    Args:
        cluster: Where.
        path: The collection's, such as `/api/v1/pods`.
        kind: What its objects are.
        selector: A label selector; empty: all objects.
        stopped: Set to end it.
        on_error: Called with what went wrong and the seconds until the next attempt.
        timing: How long things may take.
    """
    timing = timing or Timing()
    feed = _Feed(cluster, path, kind, selector=selector, stopped=stopped, timing=timing)
    failures = 0
    while not stopped.is_set():
        try:
            for event in feed.run():
                if not isinstance(event, Listed):
                    failures = 0
                yield event
        except (ClusterError, *_NONSENSE) as error:
            if failures or not isinstance(error, Gone):
                delay = _delay_seconds(timing, failures, error)
                on_error(f"watching {path}: {error}", delay)
                stopped.wait(delay)
            failures += 1
            yield Idle()


def _delay_seconds(timing: Timing, failures: int, error: Exception) -> float:
    doubled: float = timing.first_delay_seconds * 2 ** min(failures, 16)
    delay = min(doubled, timing.longest_delay_seconds) * _random.uniform(0.5, 1.0)
    asked = error.retry_after_seconds if isinstance(error, Unavailable) else None
    return min(max(delay, asked or 0.0), timing.longest_delay_seconds)


class _Feed(Generic[T]):
    """One collection, listed and then watched."""

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        kind: type[T],
        *,
        selector: str,
        stopped: Flag,
        timing: Timing,
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._query = {"labelSelector": selector} if selector else {}
        self._stopped = stopped
        self._pace = timing
        self._page = _Page[kind]  # type: ignore[valid-type]  # A type that only callers know.
        self._object = msgspec.json.Decoder(kind)
        self._version = ""

    def run(self) -> Iterator[Event[T]]:
        """One listing and its watches, until it is time for the next."""
        due = time.monotonic() + self._pace.relist_seconds * _random.uniform(0.8, 1.0)
        yield Listed(self._list())
        while time.monotonic() < due and not self._stopped.is_set():
            started, told = time.monotonic(), False
            for event in self._watch():
                told = True
                yield event
                if time.monotonic() >= due or self._stopped.is_set():
                    return
            if not told and time.monotonic() - started < AT_ONCE_SECONDS:
                raise Unavailable("the API server ended the watch at once")
            yield Idle()

    def _list(self) -> tuple[T, ...]:
        objects: list[T] = []
        more: dict[str, str] = {}
        while True:
            query = {**self._query, **more, "limit": str(PAGE_SIZE)}
            page = msgspec.convert(self._cluster.get(self._path, **query), self._page)
            objects += page.items or ()
            if not page.metadata.more:
                self._version = page.metadata.resource_version
                return tuple(objects)
            if len(objects) > MAX_OBJECTS:
                raise ClusterError(f"more than {MAX_OBJECTS:,} objects")
            more = {"continue": page.metadata.more}

    def _watch(self) -> Iterator[Event[T]]:
        with self._cluster.stream(
            self._path,
            read_timeout_seconds=self._pace.silence_seconds,
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=self._version,
            timeoutSeconds=str(self._pace.watch_seconds),
            **self._query,
        ) as lines:
            for line in lines:
                yield self._read(line)

    def _read(self, line: bytes) -> Event[T]:
        sent = _sent.decode(line)
        if sent.type == "ERROR":
            raise _error(_status.decode(sent.object))
        if sent.type == "BOOKMARK":
            self._version = _bookmark.decode(sent.object).metadata.resource_version
            return Idle()
        told = self._object.decode(sent.object)
        self._version = told.metadata.resource_version
        if sent.type == "DELETED":
            return Deleted(told)
        if sent.type in {"ADDED", "MODIFIED"}:
            return Changed(told)
        raise Unavailable(f"the API server sent an event of unknown type {sent.type[:40]!r}")


def _error(status: _Status) -> ClusterError:
    message = status.message or status.reason or f"the API server ended the watch: {status.code}"
    if status.code == _GONE:
        return Gone(status=_GONE, reason=status.reason, message=message)
    return Unavailable(message)
