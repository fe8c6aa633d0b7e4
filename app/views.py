"""A task as others see it: plain values for JSON and tables."""

from datetime import UTC, datetime
from typing import Any

from app.models import Callback, Happening, Task


def summary(task: Task) -> dict[str, Any]:
    """Return a task in one flat mapping; times are ISO 8601 in UTC, None while they are unknown."""
    return {
        "task_id": task.id,
        "task_uuid": task.task_uuid,
        "job_uuid": task.id,
        "space_uuid": task.space_uuid,
        "space_name": task.space_name,
        "wallet": task.wallet,
        "hardware": task.hardware,
        "state": task.state,
        "reason": str(task.reason) if task.reason else None,
        "url": task.url,
        "result_url": task.result_url or None,
        "duration": task.duration,
        "revision": task.revision,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "expires_at": iso(task.expires_at),
        "ended_at": iso(task.ended_at),
    }


def callback(one: Callback) -> dict[str, Any]:
    """Return a callback and how its delivery goes."""
    return {
        "sequence": one.sequence,
        "status": one.status,
        "reason": one.reason or None,
        "timestamp": iso(one.timestamp),
        "delivery": one.state,
        "attempts": one.attempts,
        "delivered_at": iso(one.delivered_at),
        "last_error": one.last_error or None,
    }


def happening(one: Happening) -> dict[str, Any]:
    """Return a line of the timeline."""
    return {"at": iso(one.at), "what": one.what, "detail": one.detail or None}


def iso(seconds: float | None) -> str | None:
    """Return unix seconds as ISO 8601, UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
