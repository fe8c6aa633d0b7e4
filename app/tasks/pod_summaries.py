"""Summaries of a task's pods, kept in Redis for `task get`."""

import time
from collections.abc import Iterable
from datetime import timedelta

from app.store.records import PodSummaries, PodSummary
from app.store.sync import Store
from k8s.api.objects import ContainerStatus, Pod

KEPT = timedelta(days=1)
_REWRITTEN_AFTER_SECONDS = KEPT.total_seconds() / 4


class PodSummaryWriter:
    """Writes summaries when they change, and before they expire; not for several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: dict[str, tuple[float, tuple[PodSummary, ...]]] = {}

    def write(self, task_id: str, pods: Iterable[Pod]) -> None:
        """Write the summaries of a task's pods, unless they were written a short time ago.

        Raises:
            Temporary: Redis is away.
        """
        summaries = tuple(sorted(map(summary, pods), key=lambda pod: pod.name))
        now = time.time()
        written_at, before = self._written.get(task_id, (0.0, ()))
        if before != summaries or now - written_at > _REWRITTEN_AFTER_SECONDS:
            self._store.save_pods(task_id, PodSummaries(at=now, pods=summaries), KEPT)
            self._written[task_id] = now, summaries

    def forget(self, task_id: str) -> None:
        """Forget a task that is over; Redis forgets its summaries by itself."""
        self._written.pop(task_id, None)


def summary(pod: Pod) -> PodSummary:
    """Return the summary of a pod."""
    status = pod.status
    containers = (*status.init_container_statuses, *status.container_statuses)
    return PodSummary(
        name=pod.metadata.name,
        phase="Terminating" if pod.deleting else status.phase,
        ready=bool(status.container_statuses)
        and all(container.ready for container in status.container_statuses),
        restarts=sum(container.restart_count for container in containers),
        node=pod.spec.node_name,
        reason=status.reason or next(filter(None, map(_problem, containers)), ""),
    )


def _problem(container: ContainerStatus) -> str:
    """Why a container waits, or why it ended with an error."""
    state = container.state
    if state.waiting:
        return state.waiting.reason
    return state.terminated.reason if state.terminated and state.terminated.exit_code else ""
