"""Redis: records and queries, and the one way to change them.

Every change is one Lua script that checks what it was decided upon and then writes everything
(task, receipt, callbacks, timeline, queue entry) or nothing. `Store` is for processes that wait,
`AsyncStore` for those that must not.
"""

from app.store.aio import AsyncStore
from app.store.sync import Store
from app.store.transaction import Change, Conflict, Full, Guard, Replayed, Transaction

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
