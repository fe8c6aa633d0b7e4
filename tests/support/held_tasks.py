"""Tasks of a provider, as its store holds them."""

import time
from typing import Any

from app.context import Context
from app.store import Change
from app.store.records import Reason, State, Task
from app.tasks import transitions


def held(context: Context, data: dict[str, Any]) -> Task:
    """Return the task of a job."""
    found = context.store.get(data["uuid"].lower())
    assert found is not None
    return found


def end(context: Context, data: dict[str, Any], outcome: State = State.TERMINATED) -> None:
    """Let a task run and come to its end, as worker and clock would."""

    def commit(change: Change) -> None:
        context.store.commit(change)

    now = time.time()
    commit(transitions.running(held(context, data), now=now))
    commit(transitions.stopping(held(context, data), outcome, Reason("x", "y"), now=now))
    commit(transitions.ended(held(context, data), now=now))
