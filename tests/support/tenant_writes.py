"""Jobs that write to Redis as much as a tenant can, and the memory that it takes."""

import time
from typing import Any

from app.context import Context
from app.store.records import Task
from app.tasks import transitions
from tests.support import market
from tests.support.held_tasks import held
from tests.support.web_server import Web

WORKLOAD = b'"' + b"x" * 1_300_000 + b'"'


def assigned(web: Web) -> dict[str, Any]:
    """Return a job that was accepted."""
    data = market.job()
    assert web.webhook("job.assigned", data).status == 202
    return data


def deploy(context: Context, data: dict[str, Any], **facts: Any) -> Task:
    """Let the wanted revision of a task have a workload."""
    change = transitions.deploying(
        held(context, data),
        now=time.time(),
        workload=WORKLOAD,
        demands=b"[]",
        guards=(),
        notes=(),
        **facts,
    )
    context.store.commit(change)
    return held(context, data)


def used(connection: Any) -> int:
    """Return the bytes of memory in use."""
    return int(connection.info("memory")["used_memory"])


def size(connection: Any, key: str | bytes) -> int:
    """Return the bytes of memory that a key takes."""
    return int(connection.memory_usage(key, samples=0) or 0)
