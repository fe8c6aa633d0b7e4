"""One container's log, read by a thread of its own into a buffer of bounded size."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from k8s.api import responses
from k8s.api.client import Cluster
from k8s.api.errors import ClusterError, Refused, Unavailable
from k8s.api.responses import BAD_REQUEST, NOT_FOUND
from k8s.logs.lines import Filter, LineSplitter, LogPosition

if TYPE_CHECKING:
    import urllib3

MAX_BUFFER_BYTES = 512 << 10
MAX_BLOCK_BYTES = 64 << 10
SILENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LogSource:
    """A container of a pod, and what its lines are called by.

    Attributes:
        path: The pod's.
        uid: The pod's.
        container: The container's name.
        label: Short, and different within a task.
    """

    path: str
    uid: str
    container: str
    label: str

    @property
    def key(self) -> str:
        """What no other container has."""
        return f"{self.uid}/{self.container}"


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of one container, each with its end, and how far its log is read with them."""

    lines: bytes
    place: LogPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which part of a log is read.

    Attributes:
        follow: Whether to wait for what is yet to come.
        last_lines: How many of the lines that there are already; None: all.
    """

    follow: bool = True
    last_lines: int | None = None


class Session:
    """Reads until the container ends, the API server fails, or `stop` is called.

    Args:
        cluster: Where.
        source: Which container.
        place: How far its log was read before.
        extent: Which part is read.
        filter_: What is done to the bytes.
        ready: Set whenever there is something to take.

    Attributes:
        failed: Whether it ended because of the API server, so that there may be more.
        refusal: The API server's words when it does not show this log to us; empty otherwise.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: LogSource,
        place: LogPosition,
        *,
        extent: Extent,
        filter_: Filter,
        ready: threading.Event,
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._place = place
        self._extent = extent
        self._filter = filter_
        self._ready = ready
        self._changed = threading.Condition()
        self._blocks: list[Block] = []
        self._size = 0
        self._stopped = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self.failed = False
        self.refusal = ""
        name = f"log of {source.label}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether nothing more comes of it."""
        return not self._thread.is_alive() and not self._blocks

    def take(self) -> list[Block]:
        """Return what was read; makes room for more."""
        with self._changed:
            blocks, self._blocks, self._size = self._blocks, [], 0
            self._changed.notify()
            return blocks

    def stop(self) -> None:
        """Have it end now, in the middle of whatever it waits for."""
        with self._changed:
            self._stopped.set()
            self._changed.notify()
            # A response that ended by itself has nothing to shut down.
            with suppress(ValueError, RuntimeError, OSError):
                if self._response is not None:
                    self._response.shutdown()

    def join(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._read()
            except Unavailable:
                # A log is silent for as long as there is nothing to say.
                if time.monotonic() - began >= SILENCE_SECONDS:
                    continue
                self.failed = True
            except ClusterError as error:
                # That a container is not there yet, or no more, is seen with its pod.
                is_seen = isinstance(error, Refused) and error.status in {BAD_REQUEST, NOT_FOUND}
                self.refusal = "" if is_seen else str(error)
            return

    def _read(self) -> None:
        lines = LineSplitter(self._source.label, self._place, self._filter)
        with self._cluster.answer(
            f"{self._source.path}/log", read_timeout_seconds=SILENCE_SECONDS, **self._query()
        ) as response:
            with self._changed:
                self._response = response
            try:
                self._copy(response, lines)
            finally:
                with self._changed:
                    self._response = None

    def _copy(self, response: "urllib3.BaseHTTPResponse", lines: LineSplitter) -> None:
        if self._stopped.is_set():  # Before there was a response to shut down.
            return
        for part in responses.parts(response):
            self._put(lines.feed(part), lines.place)
            if self._stopped.is_set():
                return
        self._put(lines.end(), lines.place)

    def _query(self) -> dict[str, str]:
        query = {"container": self._source.container, "timestamps": "true"}
        if self._extent.follow:
            query["follow"] = "true"
        if self._place.stamp:
            query["sinceTime"] = self._place.stamp
        elif self._extent.last_lines is not None:
            query["tailLines"] = str(self._extent.last_lines)
        return query

    def _put(self, lines: bytes, place: LogPosition) -> None:
        if not lines:
            return
        with self._changed:
            while self._size and self._size + len(lines) > MAX_BUFFER_BYTES:
                if self._stopped.is_set():
                    return
                self._changed.wait()
            self._size += len(lines)
            if self._blocks and len(self._blocks[-1].lines) + len(lines) <= MAX_BLOCK_BYTES:
                lines = self._blocks.pop().lines + lines
            self._blocks.append(Block(lines, place))
            self._place = place
        self._ready.set()
