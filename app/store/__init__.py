"""The provider's memory in Redis: the door to it, and the one way to change it.

Every change is one Lua script that checks what it was decided upon and then writes everything
(task, receipt, callbacks, timeline, queue entry) or nothing. `Store` is for processes that wait,
`AsyncStore` for those that must not.
"""

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
