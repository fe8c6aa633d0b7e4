"""Reasons why a pod is waiting and has no log yet, in sentences for its owner. Pure."""

from collections.abc import Iterator
from datetime import datetime

from k8s.api.objects import ContainerStatus, Pod
from k8s.health import problems
from k8s.health.problems import PodProblem

_REASONS = {
    "": "has not been started yet",
    "ContainerCreating": "is being created: its image is being pulled and its volumes mounted",
    "PodInitializing": "is waiting for the containers before it",
}


def describe(pod: Pod, now: datetime) -> str:
    """Return the reason why a pod is waiting; empty when all containers are running or have ended.

    Args:
        pod: The pod.
        now: The present time, aware.
    """
    if pod.deleting:
        return "is being stopped"
    if pod.status.phase == "Failed":
        reason = problems.one_line(f"{pod.status.reason} {pod.status.message}")
        return f"was stopped by the cluster: {reason}" if reason else ""
    if not pod.spec.node_name:
        return _unscheduled(pod)
    return "; ".join(_containers(pod, now)) or _unstarted(pod)


def _unscheduled(pod: Pod) -> str:
    for condition in pod.status.conditions:
        is_pending = condition.type == "PodScheduled" and condition.status == "False"
        if is_pending and condition.message:
            return f"is waiting for a node: {problems.one_line(condition.message)}"
    return "is waiting for a node"


def _unstarted(pod: Pod) -> str:
    statuses = pod.status.container_statuses or pod.status.init_container_statuses
    return "" if statuses else "is waiting for its node to start it"


def _containers(pod: Pod, now: datetime) -> Iterator[str]:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if (waiting := status.state.waiting) is None:
            continue
        finding = problems.diagnose_container(pod, status, now)
        if isinstance(finding, PodProblem):
            yield finding.message
        elif waiting.reason in _REASONS:
            yield f"{status.name} {_REASONS[waiting.reason]}"
        else:
            yield f"{status.name} is waiting: {problems.describe_waiting(waiting)}"


def has_log(status: ContainerStatus) -> bool:
    """Return whether a container has ever run."""
    state, last = status.state, status.last_state
    return bool(state.running or state.terminated or last.terminated)
