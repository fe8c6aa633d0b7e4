"""The logs of all containers of one task, whichever pods it has at the moment."""

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

LOOK_SECONDS = 2.0
MAX_SESSIONS = 32

_SUFFIX = 5  # Of a pod's name: what tells it from its Deployment's others.
_State = tuple[int, bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of one container, or remarks of ours.

    Attributes:
        lines: `<time stamp> [<label>] <text>`, each with its end; UTF-8.
        source: The container; None: remarks.
        place: How far its log has been read with them.
    """

    lines: bytes
    source: LogSource | None = None
    place: LogPosition = NOWHERE


class _Container:
    """One container, and how far its log has been read."""

    def __init__(self, source: LogSource, place: LogPosition) -> None:
        self.source = source
        self.place = place
        self.session: Session | None = None
        self.read: _State | None = None
        self.refusal = ""


class TaskLog:
    """Follows the logs of a task from `start` to `stop`.

    Args:
        cluster: Where.
        namespace: The tenant's.
        task_id: The task's.
        extent: Which part of the logs is read.
        filter_: What is done to their bytes.
        places: How far logs were read before, by `Source.key`.
        ready: Set whenever there is something to take.

    Attributes:
        pods: How many there are; None while nobody has looked.
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
        places: Mapping[str, LogPosition] = {},
    ) -> None:
        self._cluster = cluster
        self._path = url_paths.collection("Pod", namespace)
        self._selector = labels.task_selector(task_id)
        self._extent = extent
        self._filter = filter_
        self._ready = ready
        self._places = dict(places)
        self._containers: dict[str, _Container] = {}
        self._told: dict[str, str] = {}
        self._remarks: list[bytes] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"logs of {task_id}", daemon=True)
        self.pods: int | None = None

    def start(self) -> None:
        """Begin to look for pods."""
        self._thread.start()

    def stop(self) -> None:
        """Have every thread and every connection end now."""
        self._stopped.set()
        with self._lock:
            for one in self._containers.values():
                if one.session:
                    one.session.stop()

    def join(self, seconds: float) -> bool:
        """Wait for the end of each thread; tell whether all came."""
        with self._lock:
            sessions = [one.session for one in self._containers.values() if one.session]
        self._thread.join(seconds)
        ended = [one.join(seconds) for one in sessions]
        return all(ended) and not self._thread.is_alive()

    @property
    def done(self) -> bool:
        """Whether all that there was has been read and taken; of logs that are not followed."""
        with self._lock:
            sessions = [one.session for one in self._containers.values() if one.session]
            looked = self.pods is not None and not self._remarks
        return looked and all(one.done for one in sessions)

    def take(self) -> Iterator[Piece]:
        """Yield what was read since, which makes room for more."""
        with self._lock:
            remarks, self._remarks = self._remarks, []
            containers = list(self._containers.values())
        if remarks:
            yield Piece(self._filter.apply(b"".join(remarks)))
        for one in containers:
            for block in one.session.take() if one.session else ():
                one.place = block.place
                yield Piece(block.lines, one.source, block.place)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                found = self._cluster.list(self._path, selector=self._selector)
                self._look(msgspec.convert(found, tuple[Pod, ...]))
            except (ClusterError, msgspec.ValidationError) as error:
                self._tell("", f"the cluster does not tell the pods: {error}; trying again")
            if not self._extent.follow:
                self.pods = self.pods or 0
                return
            self._stopped.wait(LOOK_SECONDS)

    def _look(self, pods: tuple[Pod, ...]) -> None:
        now = datetime.now(UTC)
        self._told.pop("", None)
        for pod in sorted(pods, key=_age):
            self._tell(_label(pod), waiting.describe(pod, now) or self._refusal(pod))
            for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
                self._keep(pod, status)
        self._forget({pod.metadata.uid for pod in pods}, {_label(pod) for pod in pods})
        self.pods = len(pods)
        self._ready.set()

    def _keep(self, pod: Pod, status: ContainerStatus) -> None:
        """Read a container's log unless it is being read, or has been read to its end."""
        if not waiting.has_log(status):
            return
        source = _source(pod, status.name)
        state = status.restart_count, status.state.running is not None
        with self._lock:
            if self._stopped.is_set():
                return
            one = self._containers.get(source.key)
            if one is None:
                place = self._places.pop(source.key, NOWHERE)
                one = self._containers[source.key] = _Container(source, place)
            if one.session and not one.session.done:
                return
            failed = one.session is not None and one.session.failed
            if one.read == state and not status.state.running and not failed:
                return
            if self._is_crowded():
                self._tell_crowded()
                return
            one.read = state
            one.refusal = one.session.refusal if one.session else ""
            one.session = Session(
                self._cluster,
                source,
                one.place,
                extent=self._extent,
                filter_=self._filter,
                ready=self._ready,
            )

    def _refusal(self, pod: Pod) -> str:
        with self._lock:
            for one in self._containers.values():
                if one.refusal and one.source.uid == pod.metadata.uid:
                    return f"cannot be read: {one.refusal}"
        return ""

    def _is_crowded(self) -> bool:
        sessions = [one.session for one in self._containers.values() if one.session]
        return sum(not one.done for one in sessions) >= MAX_SESSIONS

    def _tell_crowded(self) -> None:
        said = f"there are more than {MAX_SESSIONS} containers; the others' logs are not shown"
        if self._told.get("…") != said:
            self._told["…"] = said
            self._remarks.append(remark(said))

    def _forget(self, uids: set[str], names: set[str]) -> None:
        with self._lock:
            for key, one in list(self._containers.items()):
                gone = one.source.uid not in uids
                if gone and (one.session is None or one.session.done):
                    del self._containers[key]
        for name in self._told.keys() - names - {"", "…"}:
            del self._told[name]

    def _tell(self, name: str, words: str) -> None:
        """Say what a pod waits for, once; that it does not wait any more goes without saying."""
        if self._told.get(name, "") == words:
            return
        self._told[name] = words
        if words:
            with self._lock:
                self._remarks.append(remark(f"{name} {words}".strip()))
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
