"""Pods of v0.3.0's Deployments that nobody has claimed yet, as the watch comes upon them."""

import time

from app.context import Context
from app.errors import UnreadableRecord
from app.store import redis_keys, rq_queue
from app.tasks.adoption.adopt import is_as_found
from k8s.api.objects import Pod
from k8s.naming import labels, names

_CALLED_AT_MOST_EVERY_SECONDS = 2.0


class UnclaimedPods:
    """Has a worker claim a pod that takes the place of another; not for several threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._met: dict[str, str] = {}
        self._next_call = 0.0

    def meet(self, pod: Pod) -> None:
        """Take note of a pod that is nobody's by its labels."""
        space_uuid = pod.metadata.labels.get(labels.SPACE, "")
        if space_uuid and not pod.deleting:
            self._met[space_uuid] = pod.metadata.namespace

    def report(self) -> None:
        """Call a worker for those that belong to adopted tasks; the others are not ours.

        Raises:
            Temporary: Redis is away; nobody is forgotten.
        """
        if not self._met or time.monotonic() < self._next_call:
            return
        self._next_call = time.monotonic() + _CALLED_AT_MOST_EVERY_SECONDS
        for space_uuid, namespace in tuple(self._met.items()):
            self._report(space_uuid, namespace)
            del self._met[space_uuid]

    def _report(self, space_uuid: str, namespace: str) -> None:
        task_id = self._context.store.field(redis_keys.HOLDERS, space_uuid)
        try:
            task = self._context.store.get(task_id) if task_id else None
        except UnreadableRecord:
            return
        if task and is_as_found(task) and names.namespace(task.wallet) == namespace:
            self._context.store.call(rq_queue.CLAIM, task.id)
