"""Reconciliation of tasks with the watch: pods and Deployments become changes of task records."""

import time
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from app.context import Context
from app.errors import UnreadableRecord
from app.store import Change, Conflict, redis_keys
from app.store.records import Reason, State, Task
from app.tasks import transitions
from app.tasks.adoption.unclaimed_pods import UnclaimedPods
from app.tasks.advance import failure
from app.tasks.pod_summaries import PodSummaryWriter
from k8s.api import watch
from k8s.api.errors import ClusterError
from k8s.api.objects import Deployment, Object, Pod
from k8s.health import health
from k8s.health.health import Health, PodProblem
from k8s.naming import labels, names

log = structlog.get_logger()

_LOG_LINES = 5
_LOG_CHARACTERS = 500
_LOOK_AGAIN_SECONDS = 1.0
_Kind = TypeVar("_Kind", bound=Object)


class Observation:
    """Pods and Deployments by task, as the watch reports them; not for several threads.

    A task stays due for a look until its record was read and its health written down: a failing
    store loses nothing.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[type[Object], dict[str, Object]] = {Pod: {}, Deployment: {}}
        self._of_task: dict[str, set[tuple[type[Object], str]]] = {}
        self._look_at: dict[str, float] = {}
        self._unclaimed = UnclaimedPods(context)
        self._summaries = PodSummaryWriter(context.store)

    def take(self, kind: type[Object], event: watch.Event[Object]) -> None:
        """Take in one event of the watch over objects of this kind."""
        if isinstance(event, watch.Listed):
            listed = {item.metadata.uid for item in event.objects}
            gone = [item for uid, item in self._seen[kind].items() if uid not in listed]
            for item in gone:
                self._drop(kind, item)
            for item in event.objects:
                self._keep(kind, item)
        elif isinstance(event, watch.Changed):
            self._keep(kind, event.object)
        elif isinstance(event, watch.Deleted):
            self._drop(kind, event.object)

    def _keep(self, kind: type[Object], item: Object) -> None:
        before = self._seen[kind].get(item.metadata.uid)
        if before is not None and _task_id(before) != _task_id(item):
            self._drop(kind, before)
        if task_id := _task_id(item):
            self._seen[kind][item.metadata.uid] = item
            self._of_task.setdefault(task_id, set()).add((kind, item.metadata.uid))
            self._look_at[task_id] = 0
        elif isinstance(item, Pod):
            self._unclaimed.meet(item)

    def _drop(self, kind: type[Object], item: Object) -> None:
        self._seen[kind].pop(item.metadata.uid, None)
        task_id = _task_id(item)
        known = self._of_task.get(task_id)
        if known is not None:
            known.discard((kind, item.metadata.uid))
            if not known:
                del self._of_task[task_id]
            self._look_at[task_id] = 0

    def look(self, now: float) -> None:
        """Look at every task with news from the cluster, and at those whose next look is due.

        Raises:
            Temporary: Redis is away; nothing is forgotten.
        """
        self._note_applied(now)
        self._unclaimed.report()
        for task_id in [task_id for task_id, at in self._look_at.items() if at <= now]:
            again_at = self._look(task_id)
            if again_at is None:
                self._look_at.pop(task_id, None)
            else:
                self._look_at[task_id] = again_at

    def _note_applied(self, now: float) -> None:
        """An apply that changed nothing on the cluster makes no event there."""
        for task_id in self._context.store.due(redis_keys.APPLIED, now):
            self._context.store.remove_due(redis_keys.APPLIED, task_id)
            self._look_at[task_id] = 0

    def _look(self, task_id: str) -> float | None:
        """Look at a task; return the time of the next look, if one is due without an event."""
        try:
            task = self._context.store.get(task_id)
        except UnreadableRecord as error:
            log.error("task not looked at", task=task_id, error=error.message)  # noqa: TRY400 - it has no use for a traceback.
            return None
        if task is None:
            return None
        if task.ended:
            self._sweep_orphans(task)
            self._summaries.forget(task_id)
            return None
        self._summaries.write(task_id, self._objects(task_id, Pod))
        if not _is_watched(task):
            return time.time() + _LOOK_AGAIN_SECONDS
        seen = self._health(task)
        if _is_news(task, seen):
            problem = None if seen.ready else seen.problem
            self._record(task, self._reason(task, problem) if problem else None)
        return seen.again_at.timestamp() if seen.again_at else None

    def _objects(self, task_id: str, kind: type[_Kind]) -> list[_Kind]:
        items = (self._seen[known][uid] for known, uid in self._of_task.get(task_id, ()))
        return [item for item in items if isinstance(item, kind)]

    def _health(self, task: Task) -> Health:
        return health.assess(
            self._objects(task.id, Pod),
            self._objects(task.id, Deployment),
            components={names.dns_label(name): count for name, count in task.components.items()},
            revision=task.revision,
            now=datetime.now(UTC),
        )

    def _record(self, task: Task, reason: Reason | None) -> None:
        """Commit the task's health: ready, or down for a reason; a task changed since wins.

        Raises:
            Temporary: Redis is away.
        """
        now = time.time()
        if reason is None:
            changes = _up(self._context, task, now)
        elif task.fallback:
            changes = [failure(task, reason, now=now)]
        else:
            changes = [transitions.troubled(task, reason, now=now)]
        try:
            self._context.store.commit(*changes)
        except Conflict:
            return
        state = str(changes[0].after.state)
        log.info("task observed", task=task.id, state=state, reason=str(reason or ""))

    def _reason(self, task: Task, problem: PodProblem) -> Reason:
        """Return a problem in the tenant's words, with the last lines of the container's log."""
        message = problem.message
        if problem.needs_log and (log_tail := self._log_tail(task, problem)):
            message = f"{message}; the log ends with: {log_tail}"
        return Reason(str(problem.category), message)

    def _log_tail(self, task: Task, problem: PodProblem) -> str:
        """Return the last lines of a crashed container's log; empty when it cannot be read."""
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

    def _sweep_orphans(self, task: Task) -> None:
        """Have Deployments of a task that is over removed: its record is the positive reason."""
        deployments = self._objects(task.id, Deployment)
        if any(not deployment.deleting for deployment in deployments):
            self._context.store.sweep(task.id)
            log.warning("remains of a task that is over", task=task.id)


def _is_watched(task: Task) -> bool:
    """Tell whether the cluster decides the task's state."""
    return (
        not task.ended
        and not task.stopping
        and task.applied_revision == task.revision
        and task.state in {State.DEPLOYING, State.RUNNING, State.FAILED}
    )


def _is_news(task: Task, seen: Health) -> bool:
    """Tell whether the health of a watched task differs from its record."""
    if seen.ready:
        return task.state is not State.RUNNING
    if seen.problem is None:
        return False
    known = task.reason.category if task.state is State.FAILED and task.reason else None
    return known != seen.problem.category


def _up(context: Context, task: Task, now: float) -> list[Change]:
    """Return the change to `running`, and the end of the task that it replaces."""
    changes = [transitions.running(task, now=now)]
    if task.fallback and task.fallback.task_id != task.id:
        replaced = context.store.get(task.fallback.task_id)
        if replaced and not replaced.ended and not replaced.stopping:
            reason = Reason("replaced", f"job {task.id} of the same Space took its place")
            changes.append(transitions.stopping(replaced, State.TERMINATED, reason, now=now))
    return changes


def _task_id(item: Object) -> str:
    return item.metadata.labels.get(labels.TASK, "")
