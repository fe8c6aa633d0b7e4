"""Decoding of records: strict for work, lenient for people."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.errors import UnreadableRecord
from app.store.job_data import JobData
from app.store.records import Callback, Receipt, Task, TimelineEntry

T = TypeVar("T")

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# Outside the enumeration of states, so that no record can be written with it.
_UNREADABLE: Any = "unreadable"


def record(content: bytes | None, kind: type[T]) -> T | None:
    """Decode a record; None if there is none.

    Raises:
        msgspec.DecodeError: It is broken, or of another kind.
    """
    return msgspec.json.decode(content, type=kind) if content else None


def task(content: bytes) -> Task:
    """Decode a task's record.

    Raises:
        UnreadableRecord: It is broken, or of a newer version.
    """
    try:
        return msgspec.json.decode(content, type=Task)
    except msgspec.DecodeError as error:
        raise UnreadableRecord(f"a task's record: {error}", category="internal") from error


def receipt(content: bytes) -> Receipt | str:
    """Decode the receipt of an accepted event, or the digest of a message without one.

    Raises:
        msgspec.DecodeError: It is broken, or of a newer version.
    """
    return msgspec.json.decode(content, type=Receipt | str)


def callback(content: bytes) -> Callback:
    """Decode a callback.

    Raises:
        msgspec.DecodeError: It is broken, or of a newer version.
    """
    return msgspec.json.decode(content, type=Callback)


def readable(content: bytes | None, kind: type[T]) -> T | None:
    """Decode a record; None if there is none or it cannot be read."""
    try:
        return record(content, kind)
    except _MALFORMED:
        return None


def readable_values(contents: Mapping[bytes, bytes], kind: type[T]) -> dict[str, T]:
    """Decode the records of a hash, and drop those that cannot be read."""
    records = {
        name.decode(errors="replace"): readable(content, kind) for name, content in contents.items()
    }
    return {name: record for name, record in records.items() if record}


def any_task(content: bytes, *, task_id: str) -> Task:
    """Decode a task's record; if it cannot be read, return a task of which only the id is known."""
    return readable(content, Task) or Task(
        id=task_id,
        job=JobData(uuid="", duration=0, job_source_uri=""),
        host="",
        created_at=0,
        start_deadline=0,
        duration=0,
        state=_UNREADABLE,
    )


def any_callback(content: bytes) -> Callback:
    """Decode a callback; mark one that cannot be read."""
    return readable(content, Callback) or Callback(
        sequence=0, status=_UNREADABLE, reason="", timestamp=0, message_id=""
    )


def any_timeline_entry(content: bytes) -> TimelineEntry:
    """Decode a timeline entry; mark one that cannot be read."""
    return readable(content, TimelineEntry) or TimelineEntry(at=0, what=_UNREADABLE)
