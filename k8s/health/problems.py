"""Problems of pods and containers: categories, and sentences for the workload's owner."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from k8s.api.objects import ContainerStatus, Pod, Terminated, Waiting
from k8s.health import pull_failures
from k8s.manifests import model_downloads

SETTLING = timedelta(seconds=2)
GRACE = timedelta(seconds=10)
MAX_TEXT_CHARACTERS = 400

_LOOPING_RESTARTS = 2
_FIRST_SIGNAL_CODE = 128
_BACK_OFF = "CrashLoopBackOff"
_START_FAILURES = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreStartHookError",
    "PostStartHookError",
}
_NEVER_STARTED = {"StartError", "ContainerCannotRun"}
_NOISE = re.compile(r"\bCreateContainer(?:Config)?Error: |\brpc error: code = \w+ desc = ")


class Category(StrEnum):
    """Category of a problem that keeps a workload down."""

    IMAGE_PULL = "image_pull"
    CRASH_LOOP = "crash_loop"
    OUT_OF_MEMORY = "out_of_memory"
    UNSCHEDULABLE = "unschedulable"
    CONFIG_ERROR = "config_error"
    EVICTED = "evicted"
    REFUSED = "refused"
    READINESS = "readiness"
    MODEL_FETCH = "model_fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodProblem:
    """A problem that keeps a workload down.

    Attributes:
        category: The category of the problem.
        message: One line for the workload's owner, at most some 600 characters.
        pod: The pod's name, or empty.
        container: The container's name, or empty.
        needs_log: Whether the last lines of the container's log would explain more.
    """

    category: Category
    message: str
    pod: str = ""
    container: str = ""
    needs_log: bool = False


Finding = PodProblem | datetime
"""A problem, or the time at which it becomes one if it persists."""


def one_line(text: str) -> str:
    """Reduce text to one printable line of `MAX_TEXT_CHARACTERS` or less, the middle left out."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= MAX_TEXT_CHARACTERS:
        return line
    return f"{line[: MAX_TEXT_CHARACTERS // 3]} … {line[-2 * MAX_TEXT_CHARACTERS // 3 + 3 :]}"


def apply_grace(pod: Pod, problem: PodProblem, now: datetime) -> Finding:
    """Return the problem, or the end of the grace period of a new pod: it may pass by itself."""
    created = pod.metadata.creation_timestamp
    if created is not None and abs(now - created) < GRACE:
        return created + GRACE
    return problem


def diagnose_container(pod: Pod, status: ContainerStatus, now: datetime) -> Finding | None:
    """Return the problem of a container, the time at which it becomes one, or None."""
    state = status.state
    if state.waiting is None:
        return _looping(pod, status) if _is_looping(status, now) else None
    reason, detail = state.waiting.reason, state.waiting.message
    if reason == _BACK_OFF:
        return _looping(pod, status)
    if reason in pull_failures.BACKING_OFF:
        return _cannot_pull(pod, status, state.waiting)
    if reason == pull_failures.FIRST:
        return apply_grace(pod, _cannot_pull(pod, status, state.waiting), now)
    if reason in _START_FAILURES:
        return _cannot_start(pod, status, detail or reason)
    return None


def _is_looping(status: ContainerStatus, now: datetime) -> bool:
    """Return whether it is between two back-offs: it ended again, or was restarted just now."""
    if status.restart_count < _LOOPING_RESTARTS:
        return False
    if status.state.terminated is not None:
        return True
    started = status.state.running.started_at if status.state.running else None
    return started is not None and abs(now - started) < SETTLING


def _looping(pod: Pod, status: ContainerStatus) -> PodProblem:
    ended = status.state.terminated or status.last_state.terminated or Terminated(exit_code=1)
    if ended.reason in _NEVER_STARTED:
        return _cannot_start(pod, status, ended.message)
    if _is_fetching(pod, status) and ended.reason == "Error":
        message = one_line(ended.message) or f"{status.name} exited with {_ending(ended)}"
        return _problem(Category.MODEL_FETCH, message, pod, status)
    restarts = f"restarted {status.restart_count} times"
    if ended.reason == "OOMKilled":
        message = f"{status.name} was killed: it needs more memory than its limit ({restarts})"
        return _problem(Category.OUT_OF_MEMORY, message, pod, status)
    if ended.exit_code == 0:
        message = (
            f"{status.name} exits by itself without an error (exit code 0, {restarts}): "
            "its command must keep running"
        )
    else:
        message = f"{status.name} keeps crashing: {_ending(ended)} ({restarts})"
    return _problem(Category.CRASH_LOOP, message, pod, status, needs_log=True)


def _is_fetching(pod: Pod, status: ContainerStatus) -> bool:
    """Return whether it is an init container that fetches models."""
    names = {container.name for container in pod.spec.init_containers}
    return status.name in names and status.name.startswith(model_downloads.PREFIX)


def _ending(ended: Terminated) -> str:
    detail = one_line(ended.message)
    code = f"exit code {ended.exit_code}"
    if ended.exit_code > _FIRST_SIGNAL_CODE:
        code += f", signal {ended.exit_code - _FIRST_SIGNAL_CODE}"
    return f"{code}, {detail}" if detail else code


def _cannot_pull(pod: Pod, status: ContainerStatus, waiting: Waiting) -> PodProblem:
    reason = pull_failures.describe(waiting)
    message = f'image "{_image(pod, status)}" of {status.name} cannot be pulled: {reason}'
    return _problem(Category.IMAGE_PULL, message, pod, status)


def describe_waiting(waiting: Waiting) -> str:
    """Return a container's reason to wait as one line, a failed pull in our own words."""
    if waiting.reason in {pull_failures.FIRST, *pull_failures.BACKING_OFF}:
        return f"its image cannot be pulled: {pull_failures.describe(waiting)}"
    return one_line(f"{waiting.reason} {waiting.message}")


def _image(pod: Pod, status: ContainerStatus) -> str:
    """Return the image as specified: the kubelet may report another name of it."""
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    return one_line(next((c.image for c in containers if c.name == status.name), status.image))


def _cannot_start(pod: Pod, status: ContainerStatus, detail: str) -> PodProblem:
    message = f"{status.name} cannot be started: {one_line(_NOISE.sub('', detail))}"
    return _problem(Category.CONFIG_ERROR, message, pod, status)


def diagnose_deadline(component: str, pods: Iterable[Pod]) -> PodProblem | None:
    """Explain why a component did not become ready in time, when nothing worse is known.

    None while models are being fetched: large ones take their time.
    """
    for pod in pods:
        if any(status.state.running for status in pod.status.init_container_statuses):
            return None
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
            if status.ready or status.state.terminated is not None:
                continue
            if status.state.running is not None:
                message = f"{status.name} is running but did not become ready in time"
                return _problem(Category.READINESS, message, pod, status, needs_log=True)
            waiting = status.state.waiting
            reason = describe_waiting(waiting) if waiting else "no reason given"
            message = f"{status.name} was not started in time: {reason}"
            return _problem(Category.READINESS, message, pod, status)
    message = f"{component} did not become ready in time"
    return PodProblem(category=Category.READINESS, message=message)


def _problem(
    category: Category,
    message: str,
    pod: Pod,
    status: ContainerStatus,
    *,
    needs_log: bool = False,
) -> PodProblem:
    return PodProblem(
        category=category,
        message=message,
        pod=pod.metadata.name,
        container=status.name,
        needs_log=needs_log,
    )
