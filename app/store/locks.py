"""A lock in Redis that its holder keeps alive, and notices when it is lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from app.errors import Temporary
from app.store import redis_keys
from app.store.redis_errors import UNAVAILABLE, translated

LEASE_SECONDS = 10
_RENEW_SECONDS = 3
_WAIT_SECONDS = 2.0


class Busy(Temporary):
    """Somebody else holds the lock."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held; other workers stay away while it is."""

    _locks: tuple[Lock, ...]

    def check(self) -> None:
        """Return while the lock is ours.

        Raises:
            Temporary: It was lost, or Redis is away: somebody else may be at work.
        """
        with translated():
            if all(lock.owned() for lock in self._locks):
                return
        raise Temporary("the lock was lost", category="lock")


@contextmanager
def held(connection: redis.Redis, *names: str) -> Iterator[Held]:
    """Hold locks while the block runs.

    Raises:
        Busy: Somebody else holds one, and did for two seconds.
        Temporary: Redis is away.
    """
    locks = []
    done = threading.Event()
    try:
        for name in names:
            locks.append(_acquired(connection, name))  # noqa: PERF401 - what is held by then is given back.
        keeper = threading.Thread(target=_keep, args=(locks, done), daemon=True)
        keeper.start()
        try:
            yield Held(tuple(locks))
        finally:
            done.set()
            keeper.join()
    finally:
        for lock in reversed(locks):
            with suppress(LockError, *UNAVAILABLE):
                lock.release()


def _acquired(connection: redis.Redis, name: str) -> Lock:
    lock = Lock(
        connection,
        redis_keys.lock(name),
        timeout=LEASE_SECONDS,
        blocking_timeout=_WAIT_SECONDS,
        thread_local=False,
    )
    with translated():
        if lock.acquire():
            return lock
    raise Busy(f"another worker holds {name}", category="lock")


def _keep(locks: list[Lock], done: threading.Event) -> None:
    while not done.wait(_RENEW_SECONDS):
        for lock in locks:
            with suppress(LockError, *UNAVAILABLE):
                lock.reacquire()


def is_held(connection: redis.Redis, name: str) -> bool:
    """Tell whether somebody holds a lock.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        return bool(connection.exists(redis_keys.lock(name)))
