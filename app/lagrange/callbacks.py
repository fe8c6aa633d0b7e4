"""Delivery of the outbox: callbacks to Lagrange, in order for each task, until acknowledged."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from random import SystemRandom

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from app.config import Lag
from app.errors import Failure, Temporary
from app.net import http_client, response_bodies, signatures
from app.net.http_client import Session
from app.store import AsyncStore, redis_keys
from app.store.leases import AsyncLease
from app.store.records import Callback

log = structlog.get_logger()

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=4)
GIVEN_UP_AFTER = timedelta(days=1)
_GROWTH = 3
_POLL_SECONDS = 0.25
_CONCURRENT = 32
_TIMEOUT_SECONDS = 15
_LEASE_SECONDS = _TIMEOUT_SECONDS + 5
_MAX_ANSWER_BYTES = 1 << 16
_SHOWN_ERROR_CHARACTERS = 300
_random = SystemRandom()


class Sender:
    """Delivers callbacks; several may run, since each holds a lease on a task's outbox."""

    def __init__(self, store: AsyncStore, lagrange: Lag, *keys: Ed25519PrivateKey) -> None:
        self._store = store
        self._url = f"{lagrange.server_url.rstrip('/')}/job/status"
        self._token = lagrange.access_token
        self._keys = keys
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def run(self, stopped: asyncio.Event) -> None:
        """Deliver until `stopped` is set; deliveries in progress are finished."""
        async with http_client.client() as session:
            while not stopped.is_set():
                try:
                    await self.start_due(session)
                except Temporary as error:
                    log.warning("outbox unreadable", error=error.message)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await stopped.wait()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def start_due(self, session: Session) -> None:
        """Start the delivery of every task's callbacks that are due."""
        for task_id in await self._store.outbox_due(time.time()):
            if task_id not in self._under_way:
                delivery = asyncio.create_task(self._delivered(session, task_id))
                self._under_way[task_id] = delivery
                delivery.add_done_callback(partial(self._forget, task_id))

    def _forget(self, task_id: str, _: asyncio.Task[None]) -> None:
        self._under_way.pop(task_id, None)

    async def _delivered(self, session: Session, task_id: str) -> None:
        async with self._slots:
            try:
                lease = await AsyncLease.take(
                    self._store.connection,
                    redis_keys.lock(f"outbox:{task_id}"),
                    seconds=_LEASE_SECONDS,
                )
                if lease is None:
                    return
                try:
                    await self._drained(session, task_id, lease)
                finally:
                    await lease.release()
            except Failure as error:
                log.warning("delivery interrupted", task=task_id, error=error.message)

    async def _drained(self, session: Session, task_id: str, lease: AsyncLease) -> None:
        """Send a task's callbacks, the oldest first, until one has to be retried later."""
        while True:
            await lease.renew()
            callbacks = await self._store.callbacks(task_id)
            owed = next((callback for callback in callbacks if callback.state == "owed"), None)
            if owed is None:
                if await self._store.settle_outbox(task_id, seen=len(callbacks)):
                    return
                continue
            wait_seconds = await self._tried(session, task_id, owed)
            if wait_seconds:
                await self._store.postpone_outbox(task_id, time.time() + wait_seconds)
                return

    async def _tried(self, session: Session, task_id: str, owed: Callback) -> float | None:
        """Attempt one delivery; return the seconds until the next, None when it is settled."""
        now = time.time()
        first = owed.first_attempt_at if owed.first_attempt_at is not None else now
        tried = replace(owed, attempts=owed.attempts + 1, first_attempt_at=first)
        error, asked, final = await self._sent(session, task_id, owed)
        if not error:
            settled = replace(tried, state="delivered", delivered_at=time.time(), last_error="")
            await self._store.save_callback(task_id, settled, counter="callbacks:delivered")
            log.info("callback delivered", task=task_id, status=owed.status, sequence=owed.sequence)
            return None
        tried = replace(tried, last_error=error[:_SHOWN_ERROR_CHARACTERS])
        if final or now - first > GIVEN_UP_AFTER.total_seconds():
            parked = replace(tried, state="parked")
            await self._store.save_callback(task_id, parked, counter="callbacks:parked")
            log.error("callback parked", task=task_id, status=owed.status, error=error)
            return None
        await self._store.save_callback(task_id, tried, counter="callbacks:retried")
        wait_seconds = delay_seconds(tried.attempts, asked)
        log.warning(
            "callback not delivered",
            task=task_id,
            status=owed.status,
            error=error,
            again_in_seconds=round(wait_seconds),
        )
        return wait_seconds

    async def _sent(
        self, session: Session, task_id: str, owed: Callback
    ) -> tuple[str, float | None, bool]:
        """Send once; return the error (empty: none), Retry-After, and True if final."""
        body = payload(task_id, owed)
        headers = signatures.sign(
            *self._keys, message_id=owed.message_id, timestamp=int(time.time()), body=body
        )
        headers["content-type"] = "application/json"
        headers["authorization"] = f"Bearer {self._token}"
        try:
            answer = await http_client.send(
                session,
                "POST",
                self._url,
                body=body,
                headers=headers,
                timeout_seconds=_TIMEOUT_SECONDS,
                max_answer_bytes=_MAX_ANSWER_BYTES,
            )
        except Failure as error:
            return error.message, None, False
        if answer.status // 100 == HTTPStatus.OK // 100:
            return "", None, False
        asked = response_bodies.retry_after(answer.headers)
        return f"Lagrange answered {answer.status}", asked, answer.status == HTTPStatus.GONE


def payload(task_id: str, owed: Callback) -> bytes:
    """Return the body of a callback: the two fields of v0.3.0, then those it did not have."""
    return msgspec.json.encode(
        {
            "job_uuid": task_id,
            "status": owed.status,
            "reason": owed.reason,
            "sequence": owed.sequence,
            "timestamp": datetime.fromtimestamp(owed.timestamp, UTC).isoformat(),
        }
    )


def delay_seconds(attempts: int, asked: float | None) -> float:
    """Return the delay after so many attempts: exponential from 5 s, with jitter."""
    grown: float = FIRST_DELAY.total_seconds() * _GROWTH ** min(attempts - 1, 20)
    delay = min(grown, LONGEST_DELAY.total_seconds()) * _random.uniform(0.8, 1.2)
    return max(delay, min(asked or 0, GIVEN_UP_AFTER.total_seconds()))
