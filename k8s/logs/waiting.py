"""What a pod waits for before there is anything to read, in words for its owner. Pure."""

from collections.abc import Iterator
from datetime import datetime

from k8s.api.objects import ContainerStatus, Pod
from k8s.health import problems
from k8s.health.problems import PodProblem

_REASONS = {
    "": "is waited for",
    "ContainerCreating": "is being created: its image is pulled, its volumes are mounted",
    "PodInitializing": "waits for the containers before it",
}


def describe(pod: Pod, now: datetime) -> str:
    """Return what a pod waits for; empty when all of its containers run or have ended.

    Args:
        pod: As it is.
        now: Aware.
    """
    if pod.deleting:
        return "is being stopped"
    if pod.status.phase == "Failed":
        said = problems.one_line(f"{pod.status.reason} {pod.status.message}")
        return f"was stopped by the cluster: {said}" if said else ""
    if not pod.spec.node_name:
        return _unscheduled(pod)
    return "; ".join(_containers(pod, now)) or _unstarted(pod)


def _unscheduled(pod: Pod) -> str:
    for one in pod.status.conditions:
        if one.type == "PodScheduled" and one.status == "False" and one.message:
            return f"waits for a node: {problems.one_line(one.message)}"
    return "waits for a node"


def _unstarted(pod: Pod) -> str:
    known = pod.status.container_statuses or pod.status.init_container_statuses
    return "" if known else "waits for its node to take it up"


def _containers(pod: Pod, now: datetime) -> Iterator[str]:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if (waiting := status.state.waiting) is None:
            continue
        found = problems.of_container(pod, status, now)
        if isinstance(found, PodProblem):
            yield found.message
        elif waiting.reason in _REASONS:
            yield f"{status.name} {_REASONS[waiting.reason]}"
        else:
            yield f"{status.name} waits: {problems.one_line(f'{waiting.reason} {waiting.message}')}"


def has_log(status: ContainerStatus) -> bool:
    """Tell whether a container has ever run."""
    state, last = status.state, status.last_state
    return bool(state.running or state.terminated or last.terminated)
