"""Processes that reserve and release room in one Redis at the same time."""

import os
import random
import time
import uuid
from dataclasses import dataclass
from functools import cache

import redis
from msgspec.structs import replace

from app.admission.reservations import placement
from app.admission.reservations.ledger import Ledger
from app.admission.reservations.placement import Demand, NoRoom
from app.store import Conflict, Store, redis_keys
from app.store.job_data import JobData
from app.store.records import Reason, State, Task
from app.tasks import transitions
from k8s.inventory.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Plan:
    """One job: what it needs at first, and after its redeploy, if any; how it ends.

    `then`: `stays`, `ends`, `redeployed` (the new version runs), `rolled back` (it fails).
    """

    wanted: tuple[Demand, ...]
    then: str
    again: tuple[Demand, ...] = ()


@cache
def _store(url: str, _process: int) -> Store:
    return Store(redis.Redis.from_url(url))


def accepted(store: Store) -> Task:
    """A task that is being fetched."""
    name = str(uuid.uuid4())
    job = JobData(uuid=name, duration=900, job_source_uri=f"https://x.example/spaces/{name}")
    now = time.time()
    born = transitions.accepted(job, host=f"{name}.x.example", now=now, start_timeout_seconds=900)
    store.commit(born)
    return current(store, name)


def current(store: Store, task_id: str) -> Task:
    """The task as it is now."""
    task = store.get(task_id)
    assert task is not None
    return task


def reserved(store: Store, task: Task, wanted: tuple[Demand, ...], seen: Inventory) -> bool:
    """Reserve as the worker does, however often others come first; tell whether there is room."""
    while True:
        book = Ledger.read(store.fields(redis_keys.RESERVATIONS))
        fallback = task.fallback
        before = book.of(fallback.task_id, fallback.revision) if fallback else ()
        try:
            slots = placement.place(
                wanted, seen, book, task_id=task.id, revision=task.revision, before=before
            )
        except NoRoom:
            return False
        change = transitions.deploying(
            task,
            now=time.time(),
            workload=b"{}",
            demands=b"[]",
            guards=book.reserving(task.id, task.revision, slots),
            notes=(),
        )
        try:
            store.commit(change)
        except Conflict:
            continue
        return True


def live(url: str, plan: Plan, seen: Inventory, seed: int) -> str:
    """One job's life; returns its id when it stays, else nothing."""
    store, chance = _store(url, os.getpid()), random.Random(seed)  # noqa: S311 - no secret.
    task = accepted(store)
    reason = Reason("no_room", "no room")
    if not reserved(store, task, plan.wanted, seen):
        store.commit(transitions.failed_early(current(store, task.id), reason, now=time.time()))
        return ""
    time.sleep(chance.random() / 200)
    store.commit(transitions.running(current(store, task.id), now=time.time()))
    if plan.then in {"redeployed", "rolled back"}:
        _redeploy(store, task.id, plan, seen)
    if plan.then == "ends":
        task = current(store, task.id)
        store.commit(transitions.stopping(task, State.TERMINATED, None, now=time.time()))
        store.commit(transitions.ended(current(store, task.id), now=time.time()))
        return ""
    return task.id


def _redeploy(store: Store, task_id: str, plan: Plan, seen: Inventory) -> None:
    now, reason = time.time(), Reason("no_room", "no room")
    task = current(store, task_id)
    store.commit(transitions.redeployed(task, replace(task.job), now=now))
    room = reserved(store, current(store, task_id), plan.again, seen)
    task = current(store, task_id)
    if room and plan.then == "redeployed":
        store.commit(transitions.running(task, now=now))
    else:
        store.commit(transitions.rolled_back(task, reason, now=now))
