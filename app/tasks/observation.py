"""What is seen of each task on the cluster, and which tasks have to be looked at."""

import time
from datetime import UTC, datetime, timedelta

import structlog

from app.context import Context
from app.errors import UnreadableRecord
from app.store import redis_keys
from app.store.records import PodSummaries, PodSummary, Reason, Task
from app.tasks import observe
from app.tasks.adoption.unclaimed_pods import UnclaimedPods
from k8s.api import watch
from k8s.api.errors import ClusterError
from k8s.api.objects import (
    ContainerStatus,
    Deployment,
    Object,
    Pod,
)
from k8s.health import health
from k8s.health.health import Health, PodProblem
from k8s.naming import labels, names

log = structlog.get_logger()

_LOG_LINES = 5
_LOG_CHARACTERS = 500
_LOOK_AGAIN_SECONDS = 1.0
PODS_KEPT = timedelta(days=1)


class Observation:
    """Pods and Deployments by task, as the watch tells them; not for several threads.

    A task stays to be looked at until its record was read and the cluster's word on it written
    down: a failing store loses nothing.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[type[Object], dict[str, Object]] = {Pod: {}, Deployment: {}}
        self._of_task: dict[str, set[tuple[type[Object], str]]] = {}
        self._to_look: dict[str, float] = {}
        self._strangers = UnclaimedPods(context)
        self._shown: dict[str, tuple[float, tuple[PodSummary, ...]]] = {}

    def take(self, kind: type[Object], event: watch.Event[Object]) -> None:
        """Take in one event of the watch over objects of this kind."""
        if isinstance(event, watch.Listed):
            there = {one.metadata.uid for one in event.objects}
            gone = [one for uid, one in self._seen[kind].items() if uid not in there]
            for one in gone:
                self._drop(kind, one)
            for one in event.objects:
                self._keep(kind, one)
        elif isinstance(event, watch.Changed):
            self._keep(kind, event.object)
        elif isinstance(event, watch.Deleted):
            self._drop(kind, event.object)

    def _keep(self, kind: type[Object], one: Object) -> None:
        before = self._seen[kind].get(one.metadata.uid)
        if before is not None and _task_id(before) != _task_id(one):
            self._drop(kind, before)
        if task_id := _task_id(one):
            self._seen[kind][one.metadata.uid] = one
            self._of_task.setdefault(task_id, set()).add((kind, one.metadata.uid))
            self._to_look[task_id] = 0
        elif isinstance(one, Pod):
            self._strangers.meet(one)

    def _drop(self, kind: type[Object], one: Object) -> None:
        self._seen[kind].pop(one.metadata.uid, None)
        task_id = _task_id(one)
        known = self._of_task.get(task_id)
        if known is not None:
            known.discard((kind, one.metadata.uid))
            if not known:
                del self._of_task[task_id]
            self._to_look[task_id] = 0

    def look(self, now: float) -> None:
        """Look at every task that something happened to, or whose time to be looked at has come.

        Raises:
            Temporary: Redis is away; nothing is forgotten.
        """
        self._note_applied(now)
        self._strangers.report()
        for task_id in [one for one, when in self._to_look.items() if when <= now]:
            again_at = self._looked(task_id)
            if again_at is None:
                self._to_look.pop(task_id, None)
            else:
                self._to_look[task_id] = again_at

    def _note_applied(self, now: float) -> None:
        """What was applied and changed nothing on the cluster makes no event there."""
        for task_id in self._context.store.due(redis_keys.APPLIED, now):
            self._context.store.remove_due(redis_keys.APPLIED, task_id)
            self._to_look[task_id] = 0

    def _looked(self, task_id: str) -> float | None:
        """Look at a task; return when to look again though nothing may have happened."""
        try:
            task = self._context.store.get(task_id)
        except UnreadableRecord as error:
            log.error("task not looked at", task=task_id, error=error.message)  # noqa: TRY400 - it has no use for a traceback.
            return None
        if task is None:
            return None
        if task.ended:
            self._report_remains(task)
            self._shown.pop(task_id, None)
            return None
        self._show_pods(task_id)
        if not observe.watched(task):
            return time.time() + _LOOK_AGAIN_SECONDS
        found = self._health(task)
        if observe.is_news(task, found):
            reason = self._reason(task, found.problem) if found.problem else None
            observe.observe(self._context, task, found, reason)
        return found.again_at.timestamp() if found.again_at else None

    def _health(self, task: Task) -> Health:
        pods, deployments = [], []
        for kind, uid in self._of_task.get(task.id, ()):
            one = self._seen[kind][uid]
            if isinstance(one, Pod):
                pods.append(one)
            elif isinstance(one, Deployment):
                deployments.append(one)
        components = {names.dns_label(name): count for name, count in task.components.items()}
        now = datetime.now(UTC)
        return health.assess(
            pods, deployments, components=components, revision=task.revision, now=now
        )

    def _show_pods(self, task_id: str) -> None:
        """Write down what `task get` shows, when it is news, or before it is forgotten."""
        seen = (self._seen[kind][uid] for kind, uid in self._of_task.get(task_id, ()))
        pods = sorted(
            (_shown(one) for one in seen if isinstance(one, Pod)), key=lambda pod: pod.name
        )
        now = time.time()
        written_at, before = self._shown.get(task_id, (0.0, ()))
        if before != tuple(pods) or now - written_at > PODS_KEPT.total_seconds() / 4:
            self._context.store.save_pods(
                task_id, PodSummaries(at=now, pods=tuple(pods)), PODS_KEPT
            )
            self._shown[task_id] = now, tuple(pods)

    def _reason(self, task: Task, problem: PodProblem) -> Reason:
        return observe.worded(problem, self._log_tail(task, problem) if problem.needs_log else "")

    def _log_tail(self, task: Task, problem: PodProblem) -> str:
        """The last lines that a crashed container wrote; empty when they cannot be had."""
        path = f"/api/v1/namespaces/{names.namespace(task.wallet)}/pods/{problem.pod}"
        try:
            text = self._context.cluster.log(
                path, tail_lines=_LOG_LINES, container=problem.container, previous=True
            )
        except ClusterError as error:
            log.info("log not readable", task=task.id, error=str(error))
            return ""
        lines = self._context.redaction.text(text).split("\n")
        return " | ".join(lines).strip(" |")[-_LOG_CHARACTERS:]

    def _report_remains(self, task: Task) -> None:
        """A Deployment of a task that is over: our record is the positive reason to remove it."""
        for kind, uid in self._of_task.get(task.id, ()):
            if kind is Deployment and not self._seen[kind][uid].deleting:
                self._context.store.sweep(task.id)
                log.warning("remains of a task that is over", task=task.id)
                return


def _shown(pod: Pod) -> PodSummary:
    status = pod.status
    containers = (*status.init_container_statuses, *status.container_statuses)
    return PodSummary(
        name=pod.metadata.name,
        phase="Terminating" if pod.deleting else status.phase,
        ready=bool(status.container_statuses)
        and all(one.ready for one in status.container_statuses),
        restarts=sum(one.restart_count for one in containers),
        node=pod.spec.node_name,
        reason=status.reason or next(filter(None, map(_trouble, containers)), ""),
    )


def _trouble(container: ContainerStatus) -> str:
    """What a container waits for, or how it ended."""
    state = container.state
    if state.waiting:
        return state.waiting.reason
    return state.terminated.reason if state.terminated and state.terminated.exit_code else ""


def _task_id(one: Object) -> str:
    return one.metadata.labels.get(labels.TASK, "")
