"""List and watch: the changes of a collection, for as long as the process lives.

A watch cannot be trusted: it ends, stalls, is cut off, and loses events. So everything is listed
first and relisted every few minutes, and any error discards the resource version that the watch had
reached. Each listing reveals the objects that were deleted in the meantime.
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
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A complete listing; any object not among `objects` is gone."""

    objects: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """A new or changed object; may be a repetition."""

    object: T


@dataclass(frozen=True, slots=True)
class Deleted(Generic[T]):
    """An object that is gone or no longer selected, in its last state."""

    object: T


@dataclass(frozen=True, slots=True)
class Idle:
    """A tick without news: the moment to handle timeouts."""


Event = Listed[T] | Changed[T] | Deleted[T] | Idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The intervals of the loop.

    Attributes:
        watch_seconds: Duration of one watch request; the API server sends a bookmark before its
            end. Also the longest time until the loop ticks, or notices that `stopped` is set.
        silence_seconds: Silence after which a watch counts as stalled.
        relist_seconds: Interval between listings.
        first_delay_seconds: Delay after the first failure; doubles with each that follows.
        longest_delay_seconds: The longest delay after a failure.
    """

    watch_seconds: int = 10
    silence_seconds: float = 15.0
    relist_seconds: float = 300.0
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 30.0


class _PageMetadata(Part, frozen=True, kw_only=True):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(Part, Generic[T], frozen=True, kw_only=True):
    metadata: _PageMetadata = _PageMetadata()
    items: tuple[T, ...] | None = ()


class _WatchEvent(Part, frozen=True, kw_only=True):
    type: str
    object: msgspec.Raw


class _Status(Part, frozen=True, kw_only=True):
    code: int = 0
    reason: str = ""
    message: str = ""


_watch_event = msgspec.json.Decoder(_WatchEvent)
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
    """Yield every change to the objects of a collection, until `stopped` is set.

    No failure of the cluster ends it: each one is passed to `on_error` and followed by a new
    listing.

    Args:
        cluster: The cluster to watch.
        path: The path of the collection, such as `/api/v1/pods`.
        kind: The type of its objects.
        selector: A label selector; empty: all objects.
        stopped: Set to end the loop.
        on_error: Called with the error message and the seconds until the next attempt.
        timing: The intervals of the loop.
    """
    timing = timing or Timing()
    reflector = _Reflector(cluster, path, kind, selector=selector, stopped=stopped, timing=timing)
    failures = 0
    while not stopped.is_set():
        try:
            for event in reflector.run():
                if not isinstance(event, Listed):
                    failures = 0
                yield event
        except (ClusterError, *_MALFORMED) as error:
            if failures or not isinstance(error, Gone):
                delay = _delay_seconds(timing, failures, error)
                on_error(f"watching {path}: {error}", delay)
                stopped.wait(delay)
            failures += 1
            yield Idle()


def _delay_seconds(timing: Timing, failures: int, error: Exception) -> float:
    doubled: float = timing.first_delay_seconds * 2 ** min(failures, 16)
    delay = min(doubled, timing.longest_delay_seconds) * _random.uniform(0.5, 1.0)
    requested = error.retry_after_seconds if isinstance(error, Unavailable) else None
    return min(max(delay, requested or 0.0), timing.longest_delay_seconds)


class _Reflector(Generic[T]):
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
        self._page = _Page[kind]  # type: ignore[valid-type]  # The caller chooses the type.
        self._object = msgspec.json.Decoder(kind)
        self._version = ""

    def run(self) -> Iterator[Event[T]]:
        """List once, then watch until the next listing is due."""
        due = time.monotonic() + self._pace.relist_seconds * _random.uniform(0.8, 1.0)
        yield Listed(self._list())
        while time.monotonic() < due and not self._stopped.is_set():
            started, has_events = time.monotonic(), False
            for event in self._watch():
                has_events = True
                yield event
                if time.monotonic() >= due or self._stopped.is_set():
                    return
            if not has_events and time.monotonic() - started < AT_ONCE_SECONDS:
                raise Unavailable("the API server ended the watch at once")
            yield Idle()

    def _list(self) -> tuple[T, ...]:
        objects: list[T] = []
        continuation: dict[str, str] = {}
        while True:
            query = {**self._query, **continuation, "limit": str(PAGE_SIZE)}
            page = msgspec.convert(self._cluster.get(self._path, **query), self._page)
            objects += page.items or ()
            if not page.metadata.continue_:
                self._version = page.metadata.resource_version
                return tuple(objects)
            if len(objects) > MAX_OBJECTS:
                raise ClusterError(f"more than {MAX_OBJECTS:,} objects")
            continuation = {"continue": page.metadata.continue_}

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
        event = _watch_event.decode(line)
        if event.type == "ERROR":
            raise _error(_status.decode(event.object))
        if event.type == "BOOKMARK":
            self._version = _bookmark.decode(event.object).metadata.resource_version
            return Idle()
        changed = self._object.decode(event.object)
        self._version = changed.metadata.resource_version
        if event.type == "DELETED":
            return Deleted(changed)
        if event.type in {"ADDED", "MODIFIED"}:
            return Changed(changed)
        raise Unavailable(f"the API server sent an event of unknown type {event.type[:40]!r}")


def _error(status: _Status) -> ClusterError:
    message = status.message or status.reason or f"the API server ended the watch: {status.code}"
    if status.code == _GONE:
        return Gone(status=_GONE, reason=status.reason, message=message)
    return Unavailable(message)
