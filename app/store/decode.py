"""What comes out of Redis as values; shared by both stores."""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.errors import UnreadableRecord
from app.store import redis_keys
from app.store.records import (
    Callback,
    MarketStatus,
    Receipt,
    Task,
    TimelineEntry,
)

_GAUGES = {
    "tasks_active": ("scard", redis_keys.ACTIVE),
    "tasks_pending": ("zcard", redis_keys.PENDING),
    "callbacks_waiting": ("zcard", redis_keys.OUTBOX),
}

_task = msgspec.json.Decoder(Task)
_receipt = msgspec.json.Decoder(Receipt)
_callback = msgspec.json.Decoder(Callback)
_market = msgspec.json.Decoder(MarketStatus)
_happening = msgspec.json.Decoder(TimelineEntry)


def task(fields: Sequence[bytes | None]) -> Task | None:
    """Decode `record` and `version` of a task's hash.

    Raises:
        Unreadable: It is no record that we can read.
    """
    record, _ = fields
    try:
        return _task.decode(record) if record else None
    except msgspec.DecodeError as error:
        raise UnreadableRecord(f"a task's record: {error}", category="internal") from error


def readable(fields: Sequence[bytes | None]) -> Task | None:
    """Decode a task's hash; None for one that is no record of ours, too."""
    try:
        return task(fields)
    except UnreadableRecord:
        return None


def receipt(content: bytes | None) -> Receipt | None:
    """Decode a receipt."""
    return _receipt.decode(content) if content else None


def callbacks(fields: dict[bytes, bytes]) -> list[Callback]:
    """Decode a task's callbacks, in order."""
    return sorted(map(_callback.decode, fields.values()), key=lambda one: one.sequence)


def market(content: bytes | None) -> MarketStatus | None:
    """Decode what Lagrange says of a Space."""
    return _market.decode(content) if content else None


def timeline(lines: Sequence[bytes]) -> list[TimelineEntry]:
    """Decode a task's timeline."""
    return [_happening.decode(line) for line in lines]


def ask_metrics(pipeline: Any) -> None:
    """Add to a pipeline what `metrics` reads."""
    pipeline.hgetall(redis_keys.METRICS)
    for command, key in _GAUGES.values():
        getattr(pipeline, command)(key)


def metrics(answers: Sequence[Any]) -> dict[str, int]:
    """Return counters and gauges by name."""
    counters = {name.decode(): int(number) for name, number in answers[0].items()}
    return counters | dict(zip(_GAUGES, answers[1:], strict=True))
