"""Terminations whose event never arrived, found by asking Lagrange about each active task.

A task is ended only if Lagrange states twice in a row that its Space is terminated, and only if the
operator allows it; an error, or an empty or malformed response, is no reason.
"""

import asyncio
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta
from msgspec.structs import replace

from app.config import Config
from app.errors import Failure
from app.net import http_client
from app.net.http_client import Session
from app.store import AsyncStore, Change, Conflict, Transaction
from app.store.leases import AsyncLease, LeaseLost
from app.store.records import MarketStatus, Reason, State, Task
from app.tasks import transitions

log = structlog.get_logger()

EVERY = timedelta(minutes=3)
SETTLED = timedelta(minutes=2)
TERMINATED = "terminated"
_AT_ONCE = 8
_TIMEOUT_SECONDS = 10
_MAX_ANSWER_BYTES = 1 << 16

Text = Annotated[str, Meta(max_length=64)]
Number = Annotated[float, Meta(ge=-(1 << 53), le=1 << 53)]


class _Data(msgspec.Struct, frozen=True):
    """Numbers are sent as numbers or as strings."""

    space_status: Text
    payment_amount: Text | Number | None = None
    remaining_time: Text | Number | None = None
    running_time: Text | Number | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: _Data
    status: Text = "success"


class CatchUp:
    """Asks about every active task, and saves the answers.

    Args:
        store: Redis.
        config: Lagrange's URL, and whether terminated tasks are ended.
        node_id: This provider's.
        every: The interval between rounds.
    """

    def __init__(
        self, store: AsyncStore, config: Config, node_id: str, *, every: timedelta = EVERY
    ) -> None:
        self._store = store
        self._ends = config.task.end_terminated
        self._url = f"{config.lag.server_url.rstrip('/')}/cp/{node_id}"
        self._headers = {"authorization": f"Bearer {config.lag.access_token}"}
        self._every = every.total_seconds()

    async def run(self, lease: AsyncLease) -> None:
        """Ask at once and then regularly, while this replica holds the lease."""
        async with http_client.client() as session:
            while True:
                await self.round(session, lease)
                await asyncio.sleep(self._every)

    async def round(self, session: Session, lease: AsyncLease) -> None:
        """Ask once about each task; a failure affects that task alone."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def ask(task: Task) -> None:
            async with slots:
                try:
                    await lease.check()
                    await self._caught_up(session, task)
                except LeaseLost:
                    raise
                except Failure as error:
                    log.info("market not read", task=task.id, error=error.message)

        try:
            tasks = await self._store.active()
        except Failure as error:
            log.warning("catch-up postponed", error=error.message)
            return
        await asyncio.gather(*(ask(task) for task in tasks if _asked_about(task)))

    async def _caught_up(self, session: Session, task: Task) -> None:
        status = await self._status(session, task)
        if status is None:
            return
        before = await self._store.market_status(task.id)
        noted = False
        if status.space_status.lower() == TERMINATED and _settled(task, status.at):
            noted = await self._note_or_end(task, again=before is not None and before.noted)
        await self._store.save_market_status(task.id, replace(status, noted=noted))

    async def _status(self, session: Session, task: Task) -> MarketStatus | None:
        """Return the status of the task's Space at Lagrange; None if there is none."""
        answer = await http_client.send(
            session,
            "GET",
            f"{self._url}/{task.space_uuid}",
            body=b"",
            headers=self._headers,
            timeout_seconds=_TIMEOUT_SECONDS,
            max_answer_bytes=_MAX_ANSWER_BYTES,
        )
        if answer.status != HTTPStatus.OK:
            log.info("market not read", task=task.id, status=answer.status)
            return None
        return read(answer.body, at=time.time())

    async def _note_or_end(self, task: Task, *, again: bool) -> bool:
        """Note it the first time; end the task the second time if the operator allows that."""
        if not again:
            log.warning("lagrange calls a running task terminated", task=task.id, ends=self._ends)
            return await self._committed(transitions.called_terminated(task, now=time.time()))
        if self._ends:
            log.warning("task ended, which lagrange calls terminated", task=task.id)
            reason = Reason("terminated", "Lagrange calls it terminated; its message never came")
            change = transitions.stopping(task, State.TERMINATED, reason, now=time.time())
            await self._committed(change)
        return True

    async def _committed(self, change: Change) -> bool:
        try:
            await self._store.commit(Transaction(changes=(change,)))
        except Conflict:
            log.info("task changed meanwhile", task=change.after.id)
            return False
        return True


def read(body: bytes, *, at: float) -> MarketStatus | None:
    """Parse a response; None if it is malformed or names no status."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    data = answer.data
    if answer.status.lower() != "success" or not data.space_status.strip():
        return None
    return MarketStatus(
        space_status=data.space_status.strip(),
        payment_amount=_text(data.payment_amount),
        remaining_time=_text(data.remaining_time),
        running_time=_text(data.running_time),
        at=at,
    )


def _text(value: str | float | None) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return value or ""


def _asked_about(task: Task) -> bool:
    return bool(task.space_uuid) and not task.ended and not task.stopping


def _settled(task: Task, now: float) -> bool:
    """Tell whether the task has run for long enough: its Space's earlier order may still show."""
    return task.started_at is not None and now - task.started_at >= SETTLED.total_seconds()
