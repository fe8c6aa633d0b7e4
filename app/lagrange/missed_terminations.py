"""What Lagrange says of the Spaces that run here, for tasks whose end it never managed to tell.

A task is only ever ended because Lagrange says in so many words that its Space is terminated, twice
in a row, and because the operator allows it; an error, an empty or a strange answer says nothing.
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
from app.store.leases import Lease
from app.store.records import (
    MarketStatus,
    Reason,
    State,
    Task,
)
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
    """Numbers come as numbers or as texts."""

    space_status: Text
    payment_amount: Text | Number | None = None
    remaining_time: Text | Number | None = None
    running_time: Text | Number | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: _Data
    status: Text = "success"


class CatchUp:
    """Asks about every active task, and writes down what Lagrange says.

    Args:
        store: The memory.
        config: Where Lagrange is, and whether terminated tasks are ended.
        node_id: This provider's.
        every: From one round to the next.
    """

    def __init__(
        self, store: AsyncStore, config: Config, node_id: str, *, every: timedelta = EVERY
    ) -> None:
        self._store = store
        self._ends = config.task.end_terminated
        self._url = f"{config.lag.server_url.rstrip('/')}/cp/{node_id}"
        self._headers = {"authorization": f"Bearer {config.lag.access_token}"}
        self._every = every.total_seconds()

    async def run(self, turn: Lease) -> None:
        """Ask at once and then regularly, as long as it is this replica's turn."""
        async with http_client.client() as session:
            while True:
                await self.round(session, turn)
                await asyncio.sleep(self._every)

    async def round(self, session: Session, turn: Lease) -> None:
        """Ask once about each task; one that fails keeps no other from being asked about."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def ask(task: Task) -> None:
            async with slots:
                try:
                    await turn.check()
                    await self._caught_up(session, task)
                except Failure as error:
                    log.info("market not read", task=task.id, error=error.message)

        try:
            tasks = await self._store.active()
        except Failure as error:
            log.warning("catch-up postponed", error=error.message)
            return
        await asyncio.gather(*(ask(task) for task in tasks if _asked_about(task)))

    async def _caught_up(self, session: Session, task: Task) -> None:
        said = await self._said(session, task)
        if said is None:
            return
        before = await self._store.market(task.id)
        noted = False
        if said.space_status.lower() == TERMINATED and _settled(task, said.at):
            noted = await self._found_terminated(task, again=before is not None and before.noted)
        await self._store.save_market(task.id, replace(said, noted=noted))

    async def _said(self, session: Session, task: Task) -> MarketStatus | None:
        """Return what Lagrange says of the task's Space; None when it says nothing."""
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

    async def _found_terminated(self, task: Task, *, again: bool) -> bool:
        """Note it at its first time; end it at the next if the operator wants that."""
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
    """Return what an answer says; None when it is of another shape, or names no status."""
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


def _text(told: str | float | None) -> str:
    if isinstance(told, float):
        return str(int(told)) if told.is_integer() else str(told)
    return told or ""


def _asked_about(task: Task) -> bool:
    return bool(task.space_uuid) and not task.ended and not task.stopping


def _settled(task: Task, now: float) -> bool:
    """A Space's earlier order may be called terminated while its new job comes up."""
    return task.started_at is not None and now - task.started_at >= SETTLED.total_seconds()
