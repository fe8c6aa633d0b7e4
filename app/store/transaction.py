"""Changes of tasks as plans of checks and commands, which the script carries out together."""

import struct
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from app.store import redis_keys, rq_queue
from app.store.records import Callback, Reason, Receipt, Task, TimelineEntry
from app.store.transaction_script import (
    RELEASING_SCRIPT,
    SCRIPT,
    Conflict,
    Full,
    RedisFull,
    Replayed,
)

Word = str | int | float | msgspec.Raw
Command = Sequence[Word]

RECEIPT_KEPT = timedelta(days=14)
ENDED_KEPT = timedelta(days=30)
LEFTOVERS_KEPT = timedelta(days=1)
WORK_LEASE = timedelta(seconds=30)
_RECEIPT_SECONDS = int(RECEIPT_KEPT.total_seconds())
_LEFTOVERS_SECONDS = int(LEFTOVERS_KEPT.total_seconds())
_TIMELINE_LENGTH = 500
_REASON_CHARACTERS = 4000
_DETAIL_CHARACTERS = 1000


class _Check(NamedTuple):
    """A command, the answer that it must have, and the error if it has another."""

    error: type[Exception]
    operator: str
    expected: Word
    command: Command


def _absent(error: type[Exception], *command: Word) -> _Check:
    return _Check(error, "absent", "", command)


def _is(expected: str | int | None, *command: Word) -> _Check:
    if expected is None:
        return _absent(Conflict, *command)
    return _Check(Conflict, "equal", str(expected), command)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _packable(command: tuple[str | int | float | bytes, ...]) -> Command:
    """A command as MessagePack: Redis reads no type `bin`, but takes any bytes for a `str 32`."""
    return [
        msgspec.Raw(struct.pack(">BI", 0xDB, len(word)) + word) if isinstance(word, bytes) else word
        for word in command
    ]


class Guard(msgspec.Struct, frozen=True):
    """A field of a hash that is claimed or released together with a change.

    Attributes:
        key: The hash.
        name: The field.
        was: Its value before; None: it must not exist.
        becomes: Its value after; None: it is deleted.
    """

    key: str
    name: str
    was: str | None
    becomes: str | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one task.

    Attributes:
        before: As it was read; None for a new task.
        after: As it is to be; `version` is the store's.
        at: When, unix seconds.
        callbacks: Reports that it makes owed to Lagrange.
        happenings: Its entries in the timeline.
        workload: The wanted revision's, encoded, if that is known now.
        demands: What its pods ask for, encoded, with the workload.
        guards: Claims that are made or released with the change.
        wake: True to enqueue the task at once.
        first_of: A uuid by which no task may be known yet; empty: any may.
    """

    before: Task | None
    after: Task
    at: float
    callbacks: tuple[Callback, ...] = ()
    happenings: tuple[TimelineEntry, ...] = ()
    workload: bytes | None = None
    demands: bytes | None = None
    guards: tuple[Guard, ...] = ()
    wake: bool = False
    first_of: str = ""

    @property
    def grows(self) -> bool:
        """True if it begins a task, or another revision of one."""
        return self.before is None or self.after.revision > self.before.revision

    @property
    def releases(self) -> bool:
        """True if it brings a task to its end, or nearer to it."""
        return self.after.stopping or self.after.ended


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that happen together or not at all.

    Attributes:
        changes: At most one for each task.
        message_id: The event's idempotency key, with `receipt`.
        receipt_for_ever: True to keep the receipt beyond `RECEIPT_KEPT`.
        max_active: Refuse when that many tasks are active already.
        counters: Metrics that go up by one.
        unless_full: True to refuse it while Redis has too little memory left.
    """

    changes: tuple[Change, ...] = ()
    message_id: str = ""
    receipt: Receipt | None = None
    receipt_for_ever: bool = False
    max_active: int | None = None
    counters: tuple[str, ...] = ()
    unless_full: bool = False

    @property
    def script(self) -> str:
        """The script that carries it out; what ends tasks succeeds whatever Redis holds."""
        is_release = all(change.releases for change in self.changes)
        return RELEASING_SCRIPT if is_release else SCRIPT

    def encoded(self) -> tuple[bytes, tuple[type[Exception], ...]]:
        """Return an argument of the script (MessagePack), and the error of each check."""
        checks = list(self._checks())
        plan = [check[1:] for check in checks], list(self._commands())
        return msgspec.msgpack.encode(plan), tuple(check.error for check in checks)

    def _checks(self) -> Iterator[_Check]:
        if self.receipt:
            refused = _json(self.receipt.digest)
            yield _Check(Replayed, "unless", refused, ("GET", redis_keys.receipt(self.message_id)))
        if self.unless_full:
            yield _absent(RedisFull, "GET", redis_keys.FULL)
        for change in self.changes:
            version = change.before.version if change.before else None
            yield _is(version, "HGET", redis_keys.task(change.after.id), "version")
            if change.first_of:
                yield _Check(Conflict, "less", 1, ("ZCARD", redis_keys.lookup(change.first_of)))
            for guard in change.guards:
                yield _is(guard.was, "HGET", guard.key, guard.name)
        if self.max_active is not None:
            yield _Check(Full, "less", self.max_active, ("SCARD", redis_keys.ACTIVE))

    def _commands(self) -> Iterator[Command]:
        if self.receipt:
            kept = () if self.receipt_for_ever else ("EX", _RECEIPT_SECONDS)
            yield "SET", redis_keys.receipt(self.message_id), _json(self.receipt), *kept
        for change in self.changes:
            yield from _written(change)
        for counter in self.counters:
            yield "HINCRBY", redis_keys.METRICS, counter, 1


def _written(change: Change) -> Iterator[Command]:
    before, after, at = change.before, change.after, change.at
    version = before.version + 1 if before else 1
    record = _json(msgspec.structs.replace(after, version=version, reason=_short(after.reason)))
    yield "HSET", redis_keys.task(after.id), "record", record, "version", version
    known = before.uuids if before else frozenset()
    for uuid in after.uuids - known - {after.id}:
        yield "ZADD", redis_keys.lookup(uuid), after.created_at, after.id
    if before is None:
        yield "ZADD", redis_keys.TASKS, after.created_at, after.id
        yield "SADD", redis_keys.ACTIVE, after.id
    yield from _scheduled(before, after, at)
    yield from _reported(change)
    if change.workload is not None:
        yield "SET", redis_keys.workload(after.id, after.revision), change.workload.decode()
    if change.demands is not None:
        yield "HSET", redis_keys.demands(after.id), after.revision, change.demands.decode()
    for guard in change.guards:
        if guard.becomes is None:
            yield "HDEL", guard.key, guard.name
        else:
            yield "HSET", guard.key, guard.name, guard.becomes
    yield from _released(before, after)
    if after.ended and not (before and before.ended):
        yield "SREM", redis_keys.ACTIVE, after.id
        yield "ZADD", redis_keys.ENDED, at, after.id
        yield "HDEL", redis_keys.HOSTS, after.host
        yield "HDEL", redis_keys.MARKET, after.id
        yield "UNLINK", redis_keys.pods(after.id)
        for key in (redis_keys.build_log(after.id), redis_keys.demands(after.id)):
            yield "EXPIRE", key, _LEFTOVERS_SECONDS
        yield "HINCRBY", redis_keys.METRICS, f"tasks_ended:{after.state}", 1
    if change.wake:
        yield from map(_packable, rq_queue.entry(after.id))


def _released(before: Task | None, after: Task) -> Iterator[Command]:
    """Release the room and the workloads of versions that the task will not run any more."""
    if before is None:
        return
    if forgotten := _wanted(before) - _wanted(after):
        keys = (redis_keys.workload(after.id, revision) for revision in sorted(forgotten))
        yield "UNLINK", *keys
    if given_up := _revisions(before) - _revisions(after):
        holders = (redis_keys.holder(after.id, revision) for revision in sorted(given_up))
        yield "HDEL", redis_keys.RESERVATIONS, *holders
        if not after.ended:
            yield "HDEL", redis_keys.demands(after.id), *sorted(given_up)


def _revisions(task: Task) -> set[int]:
    """The versions for which a task holds slots on nodes: the wanted one, and what serves now."""
    if task.ended:
        return set()
    serving = task.fallback if task.fallback and task.fallback.task_id == task.id else None
    return {task.revision, serving.revision if serving else task.revision}


def _wanted(task: Task) -> set[int]:
    """The versions that serve, are to serve, or may have to serve again."""
    return set() if task.stopping else _revisions(task)


def _reported(change: Change) -> Iterator[Command]:
    task_id = change.after.id
    for callback in change.callbacks:
        short = msgspec.structs.replace(callback, reason=callback.reason[:_REASON_CHARACTERS])
        yield "HSET", redis_keys.callbacks(task_id), callback.sequence, _json(short)
        yield "ZADD", redis_keys.OUTBOX, "NX", change.at, task_id
    if change.happenings:
        entries = (
            msgspec.structs.replace(entry, detail=entry.detail[:_DETAIL_CHARACTERS])
            for entry in change.happenings[-_TIMELINE_LENGTH:]
        )
        yield "RPUSH", redis_keys.timeline(task_id), *map(_json, entries)
        if change.before:
            yield "LTRIM", redis_keys.timeline(task_id), -_TIMELINE_LENGTH, -1


def _short(reason: Reason | None) -> Reason | None:
    """A reason whose message is of a bounded length; a cluster or a builder may say anything."""
    if reason is None or len(reason.message) <= _REASON_CHARACTERS:
        return reason
    return msgspec.structs.replace(reason, message=reason.message[:_REASON_CHARACTERS])


def _scheduled(before: Task | None, after: Task, at: float) -> Iterator[Command]:
    due = after.due_at
    if due != (before.due_at if before else None):
        yield (
            ("ZADD", redis_keys.DUE, due, after.id)
            if due is not None
            else ("ZREM", redis_keys.DUE, after.id)
        )
    if after.owes_result != (before.owes_result if before else False):
        owed = after.owes_result
        yield (
            ("ZADD", redis_keys.UPLOADS, at, after.id)
            if owed
            else ("ZREM", redis_keys.UPLOADS, after.id)
        )
    if after.pending:
        yield "ZADD", redis_keys.PENDING, at + WORK_LEASE.total_seconds(), after.id
    elif before is None or before.pending:
        yield "ZREM", redis_keys.PENDING, after.id
        if not after.ended:
            yield "ZADD", redis_keys.APPLIED, at, after.id
