"""Redis: records, queries, and the one way to change them.

Every change is one Lua script that checks what the change was decided upon, then writes everything
(task, receipt, callbacks, timeline, queue entry) or nothing. `Store` blocks, `AsyncStore` does not.
No decision about a task is made here.
"""

from app.store.aio import AsyncStore
from app.store.sync import Store
from app.store.transaction import Change, Guard, Transaction
from app.store.transaction_script import Bound, Conflict, Full, RedisFull, Replayed

__all__ = [
    "AsyncStore",
    "Bound",
    "Change",
    "Conflict",
    "Full",
    "Guard",
    "RedisFull",
    "Replayed",
    "Store",
    "Transaction",
]
