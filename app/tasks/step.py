"""The context of one step of a task: what it may use, and whether it is still wanted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from app.context import Context
from app.errors import Temporary
from app.store import Change, Conflict
from app.store.leases import Lease
from app.store.records import Task
from k8s.manifests.scope import Manifest


class Superseded(Exception):
    """The task was changed meanwhile (ended, redeployed): look again what there is to do."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """The task as this step found it, under the task's lock.

    Attributes:
        context: What operations may use.
        task: As it was when the step began.
        lock: The task's.
        rendered: Manifests of the task's workload that the step before this one rendered, without
            addresses; None: it rendered nothing.
    """

    context: Context
    task: Task
    lock: Lease
    rendered: Sequence[Manifest] | None = None

    def check(self) -> None:
        """Return while the task is as the step found it and the lock is ours.

        Raises:
            Superseded: The task was changed.
            Temporary: The lock was lost, or Redis is away.
        """
        self.lock.check()
        now = self.context.store.get(self.task.id)
        if now is None or now.revision != self.task.revision or now.outcome != self.task.outcome:
            raise Superseded

    def current(self) -> Self:
        """Return the step with the task's record as it is by now, with what the step wrote itself.

        Raises:
            Superseded: The task is wanted otherwise now.
            Temporary: The lock was lost, or Redis is away.
        """
        self.check()
        task = self.context.store.get(self.task.id)
        if task is None:
            raise Superseded
        return replace(self, task=task)

    def commit(self, *changes: Change) -> None:
        """Write changes if the task is still as the step found it.

        Raises:
            Superseded: It is not.
            Temporary: Redis is away.
        """
        try:
            self.context.store.commit(*changes)
        except Conflict:
            raise Superseded from None

    def pause(self, seconds: float, *, until: float, what: str) -> None:
        """Wait a little for something on the cluster.

        Raises:
            Superseded: The task was changed.
            Temporary: `until` (monotonic seconds) is over.
        """
        if time.monotonic() > until:
            raise Temporary(f"still waiting for {what}", category="slow")
        time.sleep(seconds)
        self.check()
