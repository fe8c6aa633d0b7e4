"""The log of a build's Job, followed from its first line to the Job's outcome."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from app.errors import Failure, Permanent, Temporary
from app.spaces.images.build_request import BuildRequest
from app.spaces.images.subprocesses import OutputLines
from k8s.api.client import Cluster
from k8s.api.errors import Refused
from k8s.jobs import build as job_build
from k8s.jobs import build_progress
from k8s.jobs.build_progress import Progress
from k8s.logs import NOWHERE, Extent, Filter, LogPosition, LogSource
from k8s.logs.session import Session

_POLL_SECONDS = 0.3
_LOOK_SECONDS = 1.0
_LAST_WORDS_SECONDS = 10.0
_GRACE_SECONDS = 60.0
_DAEMON_LINES = 10
_LABEL = "build"
_MARK = f" [{_LABEL}] ".encode()
_NODE_PRESSURE = "The node was low on resource"
# Of the Job's script; whatever else ended it, the Job says why, a moment later.
_STATUS_DAEMON, _STATUS_FILES, _STATUS_BUILD, _STATUS_PUSH = 3, 4, 5, 6
_KNOWN = {0, _STATUS_DAEMON, _STATUS_FILES, _STATUS_BUILD, _STATUS_PUSH}


@dataclass(slots=True)
class JobLogs:
    """A Job that is followed to its end."""

    cluster: Cluster
    job: str
    order: BuildRequest
    check: Callable[[], None]
    tell: Callable[[str], None]
    _lines: OutputLines = field(init=False)
    _reading: Session | None = None
    _place: LogPosition = NOWHERE
    _is_pushing: bool = False

    def run(self, pushing: Callable[[], None]) -> str:
        """Return the digest of what was pushed.

        Raises:
            Permanent, Temporary: As `Builder.build`.
            ClusterError: The API server is away, or refuses.
        """
        self._begin()
        deadline = time.monotonic() + self.order.limits.seconds + _GRACE_SECONDS
        told = False
        try:
            while True:
                seen = self._looked()
                over = seen.ended or seen.status in _KNOWN
                if over:
                    self._last_words()
                if self._is_pushing and not told:
                    told = True
                    pushing()
                if over:
                    return self._outcome(seen)
                if seen.stuck:
                    raise Temporary(f"the build's pod: {seen.message}", category="builder")
                if time.monotonic() > deadline:
                    raise self._too_slow(seen)
        finally:
            if self._reading:
                self._reading.stop()

    def _begin(self) -> None:
        self._lines = OutputLines(self._told, self.order.filter)

    def _looked(self) -> Progress:
        """Pass on what comes of the log for a moment, then look at the Job."""
        until = time.monotonic() + _LOOK_SECONDS
        while time.monotonic() < until:
            self.check()
            self._pass_on()
            time.sleep(_POLL_SECONDS)
        seen = build_progress.look(self.cluster, self.job)
        if seen.has_log and (self._reading is None or self._reading.done):
            self._read(seen)
        return seen

    def _read(self, seen: Progress) -> None:
        self._reading = Session(
            self.cluster,
            LogSource(path=seen.pod, uid=seen.uid, container=job_build.CLIENT, label=_LABEL),
            self._place,
            extent=Extent(),
            filter_=Filter(),
            ready=threading.Event(),
        )

    def _pass_on(self) -> None:
        """Tell what was read; each line has its time and our label before it."""
        for block in self._reading.take() if self._reading else ():
            self._place = block.position
            for line in block.lines.splitlines(keepends=True):
                self._lines.take(line.partition(_MARK)[2])

    def _told(self, line: str) -> None:
        """Tell a line; those of a Dockerfile's steps begin with a number, ours do not."""
        if line == f"pushing {self.order.image}":
            self._is_pushing = True
        self.tell(line)

    def _last_words(self) -> None:
        until = time.monotonic() + _LAST_WORDS_SECONDS
        while self._reading and not self._reading.done and time.monotonic() < until:
            self._pass_on()
            time.sleep(_POLL_SECONDS)

    def _outcome(self, seen: Progress) -> str:
        """Return the digest, or raise what the end of the Job means."""
        ending = self._lines.ending()
        if seen.status == 0 and seen.digest.startswith("sha256:"):
            return seen.digest
        if seen.reason == "Evicted" and not seen.message.startswith(_NODE_PRESSURE):
            most = self.order.limits.disk_bytes
            message = f"the build needs more than {most} bytes of disk{ending}"
            raise Permanent(message, category="build_too_large")
        if seen.reason == "DeadlineExceeded":
            raise self._too_slow(seen)
        if seen.status == _STATUS_BUILD:
            raise Permanent(f"the image cannot be built{ending}", category="build_failed")
        if seen.status == _STATUS_PUSH:
            asyncio.run(self.order.registry.digest(self.order.image))
            message = f"the registry does not take the image{ending}"
            raise Permanent(message, category="push_refused")
        raise Temporary(self._unfinished(seen) + ending, category="builder")

    def _too_slow(self, seen: Progress) -> Failure:
        """A build that never began is no fault of who wrote the Dockerfile."""
        if self._reading is None:
            message = f"the build's pod did not run: {seen.message or seen.reason or 'no reason'}"
            return Temporary(message, category="builder")
        seconds, ending = self.order.limits.seconds, self._lines.ending()
        message = f"the image was not built and pushed within {seconds:g} s{ending}"
        return Permanent(message, category="build_timeout")

    def _unfinished(self, seen: Progress) -> str:
        """Say why there is no image, when it is not for the Dockerfile."""
        if seen.status == _STATUS_DAEMON:
            with suppress(Refused):
                return f"BuildKit does not start: {self._of_daemon(seen)}"
        if seen.status == _STATUS_FILES:
            return "the build's pod cannot have the files from the registry"
        known = f" (exit status {seen.status})" if seen.status is not None else ""
        return f"the build's pod ended: {seen.message or seen.reason or 'without a reason'}{known}"

    def _of_daemon(self, seen: Progress) -> str:
        text = self.cluster.log(seen.pod, tail_lines=_DAEMON_LINES, container=job_build.DAEMON)
        return " | ".join(text.splitlines())
