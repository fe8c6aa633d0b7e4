"""The provider's memory in Redis: the door to it, and the one way to change it.

Every change is one Lua script that checks what it was decided upon and then writes everything
(task, receipt, callbacks, timeline, queue entry) or nothing. `Store` is for processes that wait,
`AsyncStore` for those that must not; `glance` is for people who only want to look, at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.store.asynchronous import AsyncStore
    from app.store.change import Change, Conflict, Full, Guard, Replayed, Transaction
    from app.store.synchronous import Store

__all__ = [
    "AsyncStore",
    "Change",
    "Conflict",
    "Full",
    "Guard",
    "Replayed",
    "Store",
    "Transaction",
]
_ELSEWHERE = {"AsyncStore": "asynchronous", "Store": "synchronous"}


def __getattr__(name: str) -> Any:
    """Import what takes long to import once somebody wants it."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"app.store.{_ELSEWHERE.get(name, 'change')}"), name)
