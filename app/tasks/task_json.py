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


def callback(callback: Callback) -> dict[str, Any]:
    """Return a callback and the state of its delivery."""
    return {
        "sequence": callback.sequence,
        "status": callback.status,
        "reason": callback.reason or None,
        "timestamp": iso(callback.timestamp),
        "delivery": callback.state,
        "attempts": callback.attempts,
        "delivered_at": iso(callback.delivered_at),
        "last_error": callback.last_error or None,
    }


def happening(entry: TimelineEntry) -> dict[str, Any]:
    """Return a line of the timeline."""
    return {"at": iso(entry.at), "what": entry.what, "detail": entry.detail or None}


def market(status: MarketStatus | None) -> dict[str, Any] | None:
    """Return Lagrange's own status of a task's Space, if it was fetched."""
    if status is None:
        return None
    return {
        "space_status": status.space_status,
        "running_time": status.running_time or None,
        "remaining_time": status.remaining_time or None,
        "payment_amount": status.payment_amount or None,
        "at": iso(status.at),
    }


def pod(summary: PodSummary) -> dict[str, Any]:
    """Return a pod of a task."""
    return {
        "name": summary.name,
        "phase": summary.phase or None,
        "ready": summary.ready,
        "restarts": summary.restarts,
        "node": summary.node or None,
        "reason": summary.reason or None,
    }


def iso(seconds: float | None) -> str | None:
    """Return unix seconds as ISO 8601, UTC, to the millisecond; what is no time as it is."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
