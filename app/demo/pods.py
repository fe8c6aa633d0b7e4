"""A task's pods as they come and go."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from k8s.api import url_paths, watch
from k8s.api.client import Cluster
from k8s.api.objects import ContainerStatus, Pod
from k8s.naming import labels

log = structlog.get_logger()

_RANDOM_LETTERS = 5
_STARTING = {"", "ContainerCreating", "PodInitializing"}


@dataclass
class Pods:
    """Follows a task's pods in a thread, from `start` to `stop`.

    Attributes:
        cluster: Where.
        namespace: The tenant's.
        task_id: Whose.
        tell: Called with a pod's short name and its new state, in that thread.
    """

    cluster: Cluster
    namespace: str
    task_id: str
    tell: Callable[[str, str], None]
    _states: dict[str, str] = field(default_factory=dict, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """Tell no more."""
        self._stopped.set()

    @property
    def progress(self) -> str:
        """Return `<ready>/<all> ready`, and the states of the others."""
        states = dict(self._states)
        others = [f"{name}: {state}" for name, state in states.items() if state != "ready"]
        ready = f"{len(states) - len(others)} of {len(states)} pods are ready"
        return "; ".join([ready, *others])

    def _follow(self) -> None:
        for event in watch.follow(
            self.cluster,
            url_paths.collection("Pod", self.namespace),
            Pod,
            selector=labels.task_selector(self.task_id),
            stopped=self._stopped,
            on_error=_on_trouble,
        ):
            if self._stopped.is_set():
                return
            self._take(event)

    def _take(self, event: watch.Event[Pod]) -> None:
        match event:
            case watch.Listed(objects=pods):
                for pod in pods:
                    self._change(short_name(pod), state(pod))
                for name in self._states.keys() - {short_name(pod) for pod in pods}:
                    self._change(name, "gone")
            case watch.Changed(object=pod):
                self._change(short_name(pod), state(pod))
            case watch.Deleted(object=pod):
                self._change(short_name(pod), "gone")

    def _change(self, name: str, now: str) -> None:
        if self._states.get(name) == now:
            return
        self._states[name] = now
        if now:
            self.tell(name, now)
        if now == "gone":
            del self._states[name]


def _on_trouble(error: str, seconds: float) -> None:
    log.info("pods cannot be followed", error=error, again_in_seconds=round(seconds, 1))


def short_name(pod: Pod) -> str:
    """Return the service and the random end of a pod's name."""
    component = pod.metadata.labels.get(labels.COMPONENT, "")
    return f"{component} {pod.metadata.name[-_RANDOM_LETTERS:]}".strip()


def state(pod: Pod) -> str:
    """Return where a pod is, in a few words; empty: nothing worth telling."""
    if pod.deleting:
        return ""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    trouble = next((trouble for status in statuses if (trouble := _trouble(status))), "")
    if trouble:
        return trouble
    conditions = {condition.type: condition for condition in pod.status.conditions}
    if (ready := conditions.get("Ready")) and ready.status == "True":
        return "ready"
    if pod.spec.node_name:
        return f"starts on {pod.spec.node_name}"
    placed = conditions.get("PodScheduled")
    return f"waits for a node: {placed.message}" if placed and placed.message else ""


def _trouble(status: ContainerStatus) -> str:
    waiting = status.state.waiting
    if waiting is None or waiting.reason in _STARTING:
        return ""
    return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
