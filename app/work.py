"""The functions that RQ calls by name in a worker; their one argument is a task's id."""

from functools import cache

from app import lifecycle
from app.context import Context, opened


@cache
def _context() -> Context:
    """The process's own, opened before RQ forks."""
    return opened()


def prepare() -> None:
    """Open what every piece of work needs, so that forks share it."""
    _ = _context().cluster


def advance(task_id: str) -> None:
    """Take a task as far as it goes."""
    lifecycle.advance(_context(), task_id)


def sweep(task_id: str) -> None:
    """Remove what is left of a task that is over."""
    lifecycle.sweep(_context(), task_id)
