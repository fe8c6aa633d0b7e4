"""Leases: locks in Redis that their holder renews and can lose.

The key holds the holder's own token, so that an earlier holder notices that it lost the lease.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import redis.asyncio
from redis.asyncio.lock import Lock as AsyncLock
from redis.exceptions import LockError
from redis.lock import Lock

from app.errors import Temporary
from app.store import redis_keys
from app.store.redis_errors import UNAVAILABLE, translated

LEASE_SECONDS = 10
_RENEW_SECONDS = 3
_WAIT_SECONDS = 2.0


class Busy(Temporary):
    """Another worker holds the lease."""


class LeaseLost(Temporary):
    """The lease ended; another process may hold it by now."""

    def __init__(self) -> None:
        super().__init__("the lease was lost", category="lock")


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease under one name, or under several held together."""

    _locks: tuple[Lock, ...]

    @classmethod
    def take(
        cls, connection: redis.Redis, key: str, *, seconds: float, token: str | None = None
    ) -> Self | None:
        """Take a lease; None if another process holds it.

        Args:
            connection: To Redis.
            key: Of the lock.
            seconds: Until it ends, unless it is renewed.
            token: The holder's; None: a new one.

        Raises:
            Temporary: Redis is away.
        """
        lock = Lock(connection, key, timeout=seconds, thread_local=False)
        with translated():
            return cls((lock,)) if lock.acquire(blocking=False, token=token) else None

    def renew(self) -> None:
        """Extend the lease to its whole time from now on.

        Raises:
            LeaseLost: It ended.
            Temporary: Redis is away.
        """
        with _translated():
            for lock in self._locks:
                lock.reacquire()

    def check(self) -> None:
        """Return while the lease lasts.

        Raises:
            LeaseLost: It ended.
            Temporary: Redis is away, so it is not known.
        """
        with translated():
            if all(lock.owned() for lock in self._locks):
                return
        raise LeaseLost

    def release(self) -> None:
        """Release the lease at once; a lost one is left alone.

        Raises:
            Temporary: Redis is away; the lease ends by itself.
        """
        for lock in reversed(self._locks):
            with suppress(LeaseLost), _translated():
                lock.release()


@dataclass(frozen=True, slots=True)
class AsyncLease:
    """The asynchronous `Lease`, under one name."""

    _lock: AsyncLock

    @classmethod
    async def take(
        cls, connection: redis.asyncio.Redis, key: str, *, seconds: float
    ) -> Self | None:
        """Take a lease; None if another process holds it."""
        lock = AsyncLock(connection, key, timeout=seconds, thread_local=False)
        with translated():
            return cls(lock) if await lock.acquire(blocking=False) else None

    async def renew(self) -> None:
        """Extend the lease to its whole time from now on."""
        with _translated():
            await self._lock.reacquire()

    async def check(self) -> None:
        """Return while the lease lasts."""
        with translated():
            if await self._lock.owned():
                return
        raise LeaseLost

    async def release(self) -> None:
        """Release the lease at once; a lost one is left alone."""
        with suppress(LeaseLost), _translated():
            await self._lock.release()


@contextmanager
def held(connection: redis.Redis, *names: str) -> Iterator[Lease]:
    """Hold the leases of these names for the block, and renew them.

    Raises:
        Busy: Another worker holds one, and did for two seconds.
        Temporary: Redis is away.
    """
    done = threading.Event()
    with ExitStack() as stack:
        locks = tuple(stack.enter_context(_acquired(connection, name)) for name in names)
        renewal = threading.Thread(target=_renew, args=(locks, done), daemon=True)
        renewal.start()
        stack.callback(renewal.join)
        stack.callback(done.set)
        yield Lease(locks)


@contextmanager
def _acquired(connection: redis.Redis, name: str) -> Iterator[Lock]:
    lock = Lock(
        connection,
        redis_keys.lock(name),
        timeout=LEASE_SECONDS,
        blocking_timeout=_WAIT_SECONDS,
        thread_local=False,
    )
    with translated():
        if not lock.acquire():
            raise Busy(f"another worker holds {name}", category="lock")
    try:
        yield lock
    finally:
        with suppress(*UNAVAILABLE):
            lock.release()


def _renew(locks: tuple[Lock, ...], done: threading.Event) -> None:
    """Renew until `done`; a lost lock is left to `Lease.check`, the others are renewed."""
    while not done.wait(_RENEW_SECONDS):
        for lock in locks:
            with suppress(*UNAVAILABLE):
                lock.reacquire()


def is_held(connection: redis.Redis, name: str) -> bool:
    """Tell whether a process holds the lease of this name.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        return bool(connection.exists(redis_keys.lock(name)))


@contextmanager
def _translated() -> Iterator[None]:
    """Raise LeaseLost for a lock with another token, Temporary for other errors of redis-py."""
    with translated():
        try:
            yield
        except LockError as error:
            raise LeaseLost from error
