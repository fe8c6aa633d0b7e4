"""A task as others see it: plain values for JSON and tables."""

from datetime import UTC, datetime
from typing import Any

from app.store.records import Callback, MarketStatus, PodSummary, Task, TimelineEntry


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


def happening(one: TimelineEntry) -> dict[str, Any]:
    """Return a line of the timeline."""
    return {"at": iso(one.at), "what": one.what, "detail": one.detail or None}


def market(said: MarketStatus | None) -> dict[str, Any] | None:
    """Return what Lagrange says of a task's Space, in its own words; None when it said nothing."""
    if said is None:
        return None
    return {
        "space_status": said.space_status,
        "running_time": said.running_time or None,
        "remaining_time": said.remaining_time or None,
        "payment_amount": said.payment_amount or None,
        "at": iso(said.at),
    }


def pod(one: PodSummary) -> dict[str, Any]:
    """Return a pod of a task."""
    return {
        "name": one.name,
        "phase": one.phase or None,
        "ready": one.ready,
        "restarts": one.restarts,
        "node": one.node or None,
        "reason": one.reason or None,
    }


def iso(seconds: float | None) -> str | None:
    """Return unix seconds as ISO 8601, UTC, to the millisecond; what is no time as it is."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
