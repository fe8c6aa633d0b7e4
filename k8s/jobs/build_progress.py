"""The progress of a build, read from its Job and its pod."""

from typing import Any

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.api.objects import (
    Condition,
    ContainerStatus,
    Object,
    Part,
    Pod,
)
from k8s.health import problems
from k8s.jobs.build import CLIENT, NAMESPACE, path

_JOB_NAME = "batch.kubernetes.io/job-name"
# Reasons that do not pass by waiting.
_STUCK = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a build.

    Attributes:
        pod: The path of its pod; empty: there is none.
        uid: The pod's.
        has_log: There is a log to read.
        ended: The Job has succeeded or failed.
        status: The exit status of the client; None: it has none (yet).
        digest: The digest that it pushed, `sha256:…`, or empty.
        reason: The cluster's word for the end (`DeadlineExceeded`, `Evicted`), or empty.
        message: The reason why the pod does not run, or has ended; or empty.
        stuck: It will not run without a change.
    """

    pod: str = ""
    uid: str = ""
    has_log: bool = False
    ended: bool = False
    status: int | None = None
    digest: str = ""
    reason: str = ""
    message: str = ""
    stuck: bool = False


class _JobStatus(Part, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] | None = None


class _Job(Object, frozen=True, kw_only=True):
    status: _JobStatus = _JobStatus()


def look(cluster: Cluster, job: str) -> Progress:
    """The progress of a build; one that is not there has ended.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        status = msgspec.convert(cluster.get(path(job)), _Job).status
    except NotFound:
        return Progress(ended=True, message="its Job was removed")
    end = next(filter(_is_end, status.conditions or ()), None)
    raw = cluster.list(url_paths.collection("Pod", NAMESPACE), selector=f"{_JOB_NAME}={job}")
    if not raw:
        return Progress(ended=end is not None, reason=end.reason if end else "")
    return _of_pod(raw[-1], end)


def _is_end(condition: Condition) -> bool:
    return condition.status == "True" and condition.type in {"Complete", "Failed"}


def _of_pod(raw: dict[str, Any], end: Condition | None) -> Progress:
    pod = msgspec.convert(raw, Pod)
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    by_name = {status.name: status for status in statuses}
    client = by_name.get(CLIENT, ContainerStatus())
    over = client.state.terminated
    evicted = pod.status.reason if pod.status.phase == "Failed" else ""
    trouble = next(filter(_is_stuck, statuses), None)
    return Progress(
        pod=url_paths.object_path({"kind": "Pod", **raw}),
        uid=pod.metadata.uid,
        has_log=over is not None or client.state.running is not None,
        ended=end is not None,
        status=over.exit_code if over else None,
        digest=over.message.strip() if over else "",
        reason=evicted or (end.reason if end else ""),
        message=_message(pod, trouble),
        stuck=trouble is not None,
    )


def _is_stuck(container: ContainerStatus) -> bool:
    waiting = container.state.waiting
    return waiting is not None and waiting.reason in _STUCK


def _message(pod: Pod, trouble: ContainerStatus | None) -> str:
    if trouble and trouble.state.waiting:
        return f"{trouble.name}: {problems.describe_waiting(trouble.state.waiting)}"
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.message
    return pod.status.message
