"""Pod health: a workload is ready, starting, or down because of a problem. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s.api.objects import (
    Condition,
    Deployment,
    Metadata,
    Pod,
)
from k8s.health import problems as pod_problems
from k8s.health.problems import Category, Finding, PodProblem
from k8s.naming import labels

__all__ = ["Category", "Health", "PodProblem", "assess"]

SETTLING = pod_problems.SETTLING
EVICTION_RELEVANCE = timedelta(minutes=5)

_MOST_TELLING_FIRST = (
    Category.IMAGE_PULL,
    Category.CONFIG_ERROR,
    Category.OUT_OF_MEMORY,
    Category.CRASH_LOOP,
    Category.MODEL_FETCH,
    Category.REFUSED,
    Category.UNSCHEDULABLE,
    Category.EVICTED,
    Category.READINESS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of a workload at one moment.

    Attributes:
        ready: Every component has had all its replicas ready for long enough to count.
        problem: The problem that keeps it from being ready and will not pass by itself, or None.
        again_at: The time to assess it again even without an event, because time alone may change
            the result; or None.
    """

    ready: bool
    problem: PodProblem | None
    again_at: datetime | None = None


def assess(
    pods: Iterable[Pod],
    deployments: Iterable[Deployment],
    *,
    components: Mapping[str, int],
    revision: int,
    now: datetime,
) -> Health:
    """Assess the health of one task's workload from its objects on the cluster.

    Args:
        pods: The task's pods; those of other revisions and those being deleted do not count.
        deployments: The task's Deployments.
        components: The value of each component's label, and its number of replicas.
        revision: The revision to assess.
        now: The present time, aware.
    """
    alive = [pod for pod in pods if _has_revision(pod, revision) and not pod.deleting]
    current = {
        _component(deployment.spec.template.metadata): deployment
        for deployment in deployments
        if _is_current(deployment, revision)
    }
    findings: list[Finding] = []
    ready = True
    for component, replicas in sorted(components.items()):
        own = sorted(
            (p for p in alive if _component(p.metadata) == component), key=lambda p: p.metadata.name
        )
        if _count_ready(own, now, findings) >= replicas:
            continue
        ready = False
        findings += _pod_findings(own, now)
        findings += _deployment_findings(component, current.get(component), own)
    times = [finding for finding in findings if isinstance(finding, datetime)]
    problems = [finding for finding in findings if isinstance(finding, PodProblem)]
    return Health(
        ready=ready,
        problem=min(problems, key=_rank, default=None),
        again_at=None if ready else min(times, default=None),
    )


def _rank(problem: PodProblem) -> tuple[int, str, str]:
    return _MOST_TELLING_FIRST.index(problem.category), problem.pod, problem.container


def _has_revision(pod: Pod, revision: int) -> bool:
    return pod.metadata.labels.get(labels.REVISION) == str(revision)


def _is_current(deployment: Deployment, revision: int) -> bool:
    """Return whether the Deployment's status describes this revision."""
    return (
        not deployment.deleting
        and deployment.spec.template.metadata.labels.get(labels.REVISION) == str(revision)
        and deployment.status.observed_generation >= deployment.metadata.generation
    )


def _component(metadata: Metadata) -> str:
    return metadata.labels.get(labels.COMPONENT, "")


def _count_ready(pods: list[Pod], now: datetime, findings: list[Finding]) -> int:
    """Count the pods that have been ready for a while: one that crashes is ready briefly."""
    count = 0
    for pod in pods:
        ready = _condition(pod.status.conditions, "Ready")
        if ready is None or ready.status != "True":
            continue
        since = ready.last_transition_time
        if since is not None and abs(now - since) < SETTLING:
            findings.append(since + SETTLING)
            continue
        count += 1
    return count


def _condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def _pod_findings(pods: list[Pod], now: datetime) -> Iterator[Finding]:
    for pod in pods:
        if pod.status.phase == "Failed":
            yield from _eviction(pod, now)
            continue
        yield from _unscheduled(pod, now)
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
            if (finding := pod_problems.diagnose_container(pod, status, now)) is not None:
                yield finding


def _eviction(pod: Pod, now: datetime) -> Iterator[PodProblem]:
    """Yield the eviction of a pod while it is recent: evicted pods stay listed for hours."""
    status = pod.status
    times = [time for c in status.conditions if (time := c.last_transition_time)]
    ended = max(times, default=pod.metadata.creation_timestamp)
    if not status.reason or (ended is not None and now - ended > EVICTION_RELEVANCE):
        return
    reason = pod_problems.one_line(status.message) or status.reason
    yield PodProblem(
        category=Category.EVICTED,
        message=f"the cluster stopped a pod ({status.reason}): {reason}",
        pod=pod.metadata.name,
    )


def _unscheduled(pod: Pod, now: datetime) -> Iterator[Finding]:
    scheduled = _condition(pod.status.conditions, "PodScheduled")
    if scheduled is None or scheduled.status != "False" or scheduled.reason != "Unschedulable":
        return
    problem = PodProblem(
        category=Category.UNSCHEDULABLE,
        message=f"the pod cannot be scheduled: {pod_problems.one_line(scheduled.message)}",
        pod=pod.metadata.name,
    )
    yield pod_problems.apply_grace(pod, problem, now)


def _deployment_findings(
    component: str, deployment: Deployment | None, pods: list[Pod]
) -> Iterator[PodProblem]:
    if deployment is None:
        return
    failure = _condition(deployment.status.conditions, "ReplicaFailure")
    if failure is not None and failure.status == "True":
        reason = pod_problems.one_line(failure.message) or failure.reason
        yield PodProblem(
            category=Category.REFUSED, message=f"the cluster refuses pods of {component}: {reason}"
        )
    progressing = _condition(deployment.status.conditions, "Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return
    if (problem := pod_problems.diagnose_deadline(component, pods)) is not None:
        yield problem
