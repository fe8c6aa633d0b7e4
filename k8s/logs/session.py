"""Log session: one container's log, read by a thread of its own into a bounded buffer."""

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
    """A container of a pod, and the label of its lines.

    Attributes:
        path: The path of the pod.
        uid: The uid of the pod.
        container: The container's name.
        label: A short label, unique within the task.
    """

    path: str
    uid: str
    container: str
    label: str

    @property
    def key(self) -> str:
        """A key unique to the container."""
        return f"{self.uid}/{self.container}"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one container, line ends included, and the position after them."""

    lines: bytes
    position: LogPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The part of a log to read.

    Attributes:
        follow: Whether to wait for new lines.
        last_lines: The number of existing lines to read; None: all.
    """

    follow: bool = True
    last_lines: int | None = None


class Session:
    """Reads until the container ends, the API server fails, or `stop` is called.

    Args:
        cluster: The cluster.
        source: The container.
        position: The position up to which its log was read before.
        extent: The part of the log to read.
        filter_: The filter for the bytes.
        ready: Set whenever there are blocks to take.

    Attributes:
        failed: Whether it ended because of the API server, so that there may be more.
        refusal: The API server's message when it refuses access to the log; else empty.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: LogSource,
        position: LogPosition,
        *,
        extent: Extent,
        filter_: Filter,
        ready: threading.Event,
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._position = position
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
        """True once the log has ended and all blocks were taken."""
        return not self._thread.is_alive() and not self._blocks

    def take(self) -> list[Block]:
        """Return the blocks read so far and free the buffer."""
        with self._changed:
            blocks, self._blocks, self._size = self._blocks, [], 0
            self._changed.notify()
            return blocks

    def stop(self) -> None:
        """Stop reading at once, even in the middle of a wait."""
        with self._changed:
            self._stopped.set()
            self._changed.notify()
            # A response that ended by itself has nothing to shut down.
            with suppress(ValueError, RuntimeError, OSError):
                if self._response is not None:
                    self._response.shutdown()

    def join(self, seconds: float) -> bool:
        """Wait for its end; return whether it ended in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._read()
            except Unavailable:
                # A quiet container is no failure.
                if time.monotonic() - began >= SILENCE_SECONDS:
                    continue
                self.failed = True
            except ClusterError as error:
                # A container that is not there yet, or not any more, is reported with its pod.
                is_absent = isinstance(error, Refused) and error.status in {BAD_REQUEST, NOT_FOUND}
                self.refusal = "" if is_absent else str(error)
            return

    def _read(self) -> None:
        lines = LineSplitter(self._source.label, self._position, self._filter)
        with self._cluster.response(
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
        for chunk in responses.chunks(response):
            self._put(lines.feed(chunk), lines.position)
            if self._stopped.is_set():
                return
        self._put(lines.end(), lines.position)

    def _query(self) -> dict[str, str]:
        query = {"container": self._source.container, "timestamps": "true"}
        if self._extent.follow:
            query["follow"] = "true"
        if self._position.stamp:
            query["sinceTime"] = self._position.stamp
        elif self._extent.last_lines is not None:
            query["tailLines"] = str(self._extent.last_lines)
        return query

    def _put(self, lines: bytes, position: LogPosition) -> None:
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
            self._blocks.append(Block(lines, position))
            self._position = position
        self._ready.set()
