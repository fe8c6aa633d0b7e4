"""Task log: the logs of all containers of one task, whichever pods it has at the moment."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import ClusterError
from k8s.api.objects import ContainerStatus, Pod
from k8s.logs import waiting
from k8s.logs.lines import NOWHERE, Filter, LogPosition, remark
from k8s.logs.session import Extent, LogSource, Session
from k8s.naming import labels

POLL_SECONDS = 2.0
MAX_SESSIONS = 32

_SUFFIX = 5  # Characters at the end of a pod's name, unique within its Deployment.
_State = tuple[int, bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one container, or remarks of the provider.

    Attributes:
        lines: `<time stamp> [<label>] <text>`, line ends included; UTF-8.
        source: The container; None: remarks.
        position: The position in its log after them.
    """

    lines: bytes
    source: LogSource | None = None
    position: LogPosition = NOWHERE


class _Container:
    """One container, and the position up to which its log has been read."""

    def __init__(self, source: LogSource, position: LogPosition) -> None:
        self.source = source
        self.position = position
        self.session: Session | None = None
        self.read: _State | None = None
        self.refusal = ""


class TaskLog:
    """Follows the logs of a task from `start` to `stop`.

    Args:
        cluster: The cluster.
        namespace: The tenant's namespace.
        task_id: The task's id.
        extent: The part of each log to read.
        filter_: The filter for their bytes.
        positions: The positions up to which logs were read before, by `LogSource.key`.
        ready: Set whenever there are pieces to take.

    Attributes:
        pods: The number of pods; None until they have been listed.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        task_id: str,
        *,
        extent: Extent,
        filter_: Filter,
        ready: threading.Event,
        positions: Mapping[str, LogPosition] = {},
    ) -> None:
        self._cluster = cluster
        self._path = url_paths.collection("Pod", namespace)
        self._selector = labels.task_selector(task_id)
        self._extent = extent
        self._filter = filter_
        self._ready = ready
        self._positions = dict(positions)
        self._containers: dict[str, _Container] = {}
        self._last_remarks: dict[str, str] = {}
        self._remarks: list[bytes] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"logs of {task_id}", daemon=True)
        self.pods: int | None = None

    def start(self) -> None:
        """Start looking for pods."""
        self._thread.start()

    def stop(self) -> None:
        """Stop every thread and close every connection at once."""
        self._stopped.set()
        with self._lock:
            for session in self._sessions():
                session.stop()

    def join(self, seconds: float) -> bool:
        """Wait for each thread to end; return whether all did."""
        with self._lock:
            sessions = self._sessions()
        self._thread.join(seconds)
        ended = [session.join(seconds) for session in sessions]
        return all(ended) and not self._thread.is_alive()

    @property
    def done(self) -> bool:
        """True once everything has been read and taken, of logs that are not followed."""
        with self._lock:
            sessions = self._sessions()
            is_listed = self.pods is not None and not self._remarks
        return is_listed and all(session.done for session in sessions)

    def take(self) -> Iterator[Piece]:
        """Yield the lines read since the last call and free the buffers."""
        with self._lock:
            remarks, self._remarks = self._remarks, []
            containers = list(self._containers.values())
        if remarks:
            yield Piece(self._filter.apply(b"".join(remarks)))
        for container in containers:
            for block in container.session.take() if container.session else ():
                container.position = block.position
                yield Piece(block.lines, container.source, block.position)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                pods = self._cluster.list(self._path, selector=self._selector)
                self._update(msgspec.convert(pods, tuple[Pod, ...]))
            except (ClusterError, msgspec.ValidationError) as error:
                self._remark_once("", f"the pods cannot be listed: {error}; trying again")
            if not self._extent.follow:
                self.pods = self.pods or 0
                return
            self._stopped.wait(POLL_SECONDS)

    def _update(self, pods: tuple[Pod, ...]) -> None:
        now = datetime.now(UTC)
        self._last_remarks.pop("", None)
        for pod in sorted(pods, key=_age):
            self._remark_once(_label(pod), waiting.describe(pod, now) or self._refusal(pod))
            for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
                self._ensure_session(pod, status)
        self._forget({pod.metadata.uid for pod in pods}, {_label(pod) for pod in pods})
        self.pods = len(pods)
        self._ready.set()

    def _ensure_session(self, pod: Pod, status: ContainerStatus) -> None:
        """Start reading a container's log unless it is being read, or has been read to its end."""
        if not waiting.has_log(status):
            return
        source = _source(pod, status.name)
        state = status.restart_count, status.state.running is not None
        with self._lock:
            if self._stopped.is_set():
                return
            container = self._containers.get(source.key)
            if container is None:
                position = self._positions.pop(source.key, NOWHERE)
                container = self._containers[source.key] = _Container(source, position)
            if container.session and not container.session.done:
                return
            failed = container.session is not None and container.session.failed
            if container.read == state and not status.state.running and not failed:
                return
            if self._is_crowded():
                self._remark_crowded()
                return
            container.read = state
            container.refusal = container.session.refusal if container.session else ""
            container.session = Session(
                self._cluster,
                source,
                container.position,
                extent=self._extent,
                filter_=self._filter,
                ready=self._ready,
            )

    def _refusal(self, pod: Pod) -> str:
        with self._lock:
            for container in self._containers.values():
                if container.refusal and container.source.uid == pod.metadata.uid:
                    return f"cannot be read: {container.refusal}"
        return ""

    def _sessions(self) -> list[Session]:
        return [container.session for container in self._containers.values() if container.session]

    def _is_crowded(self) -> bool:
        return sum(not session.done for session in self._sessions()) >= MAX_SESSIONS

    def _remark_crowded(self) -> None:
        text = (
            f"there are more than {MAX_SESSIONS} containers; the logs of the others are not shown"
        )
        if self._last_remarks.get("…") != text:
            self._last_remarks["…"] = text
            self._remarks.append(remark(text))

    def _forget(self, uids: set[str], names: set[str]) -> None:
        with self._lock:
            for key, container in list(self._containers.items()):
                gone = container.source.uid not in uids
                if gone and (container.session is None or container.session.done):
                    del self._containers[key]
        for name in self._last_remarks.keys() - names - {"", "…"}:
            del self._last_remarks[name]

    def _remark_once(self, name: str, text: str) -> None:
        """Add a remark on a pod unless it repeats the last one; no text clears that one."""
        if self._last_remarks.get(name, "") == text:
            return
        self._last_remarks[name] = text
        if text:
            with self._lock:
                self._remarks.append(remark(f"{name} {text}".strip()))
            self._ready.set()


def _age(pod: Pod) -> tuple[float, str]:
    created = pod.metadata.creation_timestamp
    return (created.timestamp() if created else 0.0, pod.metadata.name)


def _label(pod: Pod) -> str:
    component = pod.metadata.labels.get(labels.COMPONENT, "")
    return f"{component}-{pod.metadata.name[-_SUFFIX:]}" if component else pod.metadata.name


def _source(pod: Pod, container: str) -> LogSource:
    label = _label(pod)
    if pod.metadata.labels.get(labels.COMPONENT) != container:
        label = f"{label}/{container}"
    path = f"{url_paths.collection('Pod', pod.metadata.namespace)}/{pod.metadata.name}"
    return LogSource(path, pod.metadata.uid, container, label)
