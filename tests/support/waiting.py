"""Waiting for an outcome, however slow the machine is."""

import time
from collections.abc import Callable
from typing import Any

_POLL_SECONDS = 0.05


def eventually(what: str, condition: Callable[[], Any], *, seconds: float = 30) -> Any:
    """Return the condition's first true value; fail when it does not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(_POLL_SECONDS)
