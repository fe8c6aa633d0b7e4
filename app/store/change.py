"""One change of the memory as a plan of checks and commands, and the script that carries it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from app import queues
from app.models import Callback, Happening, Receipt, Task
from app.store import keys

Word = str | int | float | bytes
Command = tuple[Word, ...]

RECEIPT_KEPT = timedelta(days=14)
ENDED_KEPT = timedelta(days=30)
WORK_LEASE = timedelta(seconds=30)
_TIMELINE_LENGTH = 500

SCRIPT = """
local position = 1
local function take()
  position = position + 1
  return ARGV[position - 1]
end
local function command()
  local length = tonumber(take())
  local words = {}
  for index = 1, length do words[index] = take() end
  return words
end
local checks = tonumber(take())
for index = 1, checks do
  local operator, expected = take(), take()
  local found = redis.call(unpack(command()))
  local holds
  if operator == 'absent' then holds = not found
  elseif operator == 'equal' then holds = found == expected
  else holds = found < tonumber(expected) end
  if not holds then return {index, found} end
end
while position <= #ARGV do redis.call(unpack(command())) end
return {0}
"""


class Conflict(Exception):
    """Something that the change was decided upon is not so any more: read again, decide again."""


class Full(Exception):
    """There are as many active tasks as the operator allows."""


class Replayed(Exception):
    """The event was accepted before; `receipt` says what it was then."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.task_id)
        self.receipt = receipt


class _Check(NamedTuple):
    """A command whose answer has to be so, and what it means when it is not."""

    error: type[Exception]
    operator: str
    expected: Word
    command: Command


def _absent(error: type[Exception], *command: Word) -> _Check:
    return _Check(error, "absent", "", command)


def _is(expected: Word | None, *command: Word) -> _Check:
    if expected is None:
        return _absent(Conflict, *command)
    return _Check(Conflict, "equal", expected, command)


@dataclass(frozen=True, slots=True)
class Guard:
    """A field of a hash that is claimed or released together with a change.

    Attributes:
        key: The hash.
        name: The field.
        was: What it has to hold before; None: nothing.
        becomes: What it holds after; None: nothing.
    """

    key: str
    name: str
    was: str | None
    becomes: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one task.

    Attributes:
        before: As it was read; None for a new task.
        after: As it is to be; `version` is the store's.
        at: When, unix seconds.
        callbacks: What is owed to Lagrange because of it.
        happenings: What its timeline says about it.
        workload: What the wanted revision runs, encoded, when that is known now.
        guards: Claims that hold or fall with the change.
        wake: Whether a worker is called at once.
    """

    before: Task | None
    after: Task
    at: float
    callbacks: tuple[Callback, ...] = ()
    happenings: tuple[Happening, ...] = ()
    workload: bytes | None = None
    guards: tuple[Guard, ...] = ()
    wake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Changes that happen together or not at all.

    Attributes:
        changes: At most one for each task.
        message_id: The event's idempotency key, with `receipt`.
        receipt_for_ever: Whether the receipt is kept beyond `RECEIPT_KEPT`.
        max_active: Refuse when that many tasks are active already.
        counters: Metrics that go up by one.
    """

    changes: tuple[Change, ...] = ()
    message_id: str = ""
    receipt: Receipt | None = None
    receipt_for_ever: bool = False
    max_active: int | None = None
    counters: Sequence[str] = field(default=())

    def encoded(self) -> tuple[list[Word], tuple[type[Exception], ...]]:
        """Return the script's arguments, and what each of its checks failing means."""
        checks = list(self._checks())
        arguments: list[Word] = [len(checks)]
        for check in checks:
            arguments += (check.operator, check.expected, len(check.command), *check.command)
        for command in self._commands():
            arguments += (len(command), *command)
        return arguments, tuple(check.error for check in checks)

    def _checks(self) -> Iterator[_Check]:
        if self.receipt:
            yield _absent(Replayed, "GET", keys.receipt(self.message_id))
        for change in self.changes:
            version = change.before.version if change.before else None
            yield _is(version, "HGET", keys.task(change.after.id), "version")
            for guard in change.guards:
                yield _is(guard.was, "HGET", guard.key, guard.name)
        if self.max_active is not None:
            yield _Check(Full, "less", self.max_active, ("SCARD", keys.ACTIVE))

    def _commands(self) -> Iterator[Command]:
        if self.receipt:
            yield "SET", keys.receipt(self.message_id), msgspec.json.encode(self.receipt)
            if not self.receipt_for_ever:
                seconds = int(RECEIPT_KEPT.total_seconds())
                yield "EXPIRE", keys.receipt(self.message_id), seconds
        for change in self.changes:
            yield from _written(change)
        for counter in self.counters:
            yield "HINCRBY", keys.METRICS, counter, 1


def _written(change: Change) -> Iterator[Command]:
    before, after, at = change.before, change.after, change.at
    version = before.version + 1 if before else 1
    record = msgspec.json.encode(msgspec.structs.replace(after, version=version))
    yield "HSET", keys.task(after.id), "record", record, "version", version
    known = before.uuids if before else frozenset()
    for uuid in after.uuids - known:
        yield "ZADD", keys.lookup(uuid), after.created_at, after.id
    if before is None:
        yield "ZADD", keys.TASKS, after.created_at, after.id
        yield "SADD", keys.ACTIVE, after.id
    yield from _scheduled(before, after, at)
    for callback in change.callbacks:
        yield "HSET", keys.callbacks(after.id), callback.sequence, msgspec.json.encode(callback)
        yield "ZADD", keys.OUTBOX, "NX", at, after.id
    if change.happenings:
        lines = [msgspec.json.encode(happening) for happening in change.happenings]
        yield "RPUSH", keys.timeline(after.id), *lines
        yield "LTRIM", keys.timeline(after.id), -_TIMELINE_LENGTH, -1
    if change.workload is not None:
        yield "SET", keys.workload(after.id, after.revision), change.workload
    for guard in change.guards:
        if guard.becomes is None:
            yield "HDEL", guard.key, guard.name
        else:
            yield "HSET", guard.key, guard.name, guard.becomes
    if after.ended and not (before and before.ended):
        yield "SREM", keys.ACTIVE, after.id
        yield "ZADD", keys.ENDED, at, after.id
        yield "HDEL", keys.HOSTS, after.host
        yield "HINCRBY", keys.METRICS, f"tasks_ended:{after.state}", 1
    if change.wake:
        yield from queues.entry(after.id)


def _scheduled(before: Task | None, after: Task, at: float) -> Iterator[Command]:
    due = after.due_at
    if due != (before.due_at if before else None):
        yield ("ZADD", keys.DUE, due, after.id) if due is not None else ("ZREM", keys.DUE, after.id)
    if after.pending:
        yield "ZADD", keys.PENDING, at + WORK_LEASE.total_seconds(), after.id
    elif before and before.pending:
        yield "ZREM", keys.PENDING, after.id


def outcome(answer: Sequence[Any], meaning: tuple[type[Exception], ...]) -> None:
    """Raise what the script's answer means; return when everything was written.

    Raises:
        Conflict, Full, Replayed: Nothing was written.
    """
    index = int(answer[0])
    if index == 0:
        return
    error = meaning[index - 1]
    if error is Replayed:
        raise Replayed(msgspec.json.decode(answer[1], type=Receipt))
    raise error
