"""From an authentic event to its receipt: decide, commit, and decide again after a conflict.

Every wire format comes through here alike.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import structlog

from app.config import Config
from app.errors import FieldError, Rejected
from app.intake import binding, payloads
from app.intake.dispatch import Decision, Handler, HandlerContext
from app.store import (
    AsyncStore,
    Bound,
    Change,
    Conflict,
    Full,
    RedisFull,
    Replayed,
    Transaction,
)
from app.store.records import Receipt

log = structlog.get_logger()

_LABEL_LENGTH = 10
_MAX_ATTEMPTS = 20
_RETRY_AFTER_SECONDS = 5
_FULL_RETRY_AFTER_SECONDS = 60


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose signature held and whose data is valid.

    Attributes:
        type: `job.assigned` and so on.
        payload: Its data, of the type that its handler takes.
        message_id: The sender's idempotency key.
        digest: A digest of its content; the same key with another digest is refused.
        pointer: The place of the data in the body, for error messages.
        for_ever: Whether the key is kept without end, since its signature never expires.
    """

    type: str
    payload: Any
    message_id: str
    digest: str
    pointer: str = ""
    for_ever: bool = False


def digest(*parts: str | bytes) -> str:
    """Return a digest of an event's content, each part kept apart from the next."""
    sha256 = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        sha256.update(b"%d:" % len(raw))
        sha256.update(raw)
    return sha256.hexdigest()


class Intake:
    """Accepts events, one at a time or many at once, in any number of processes."""

    def __init__(
        self, store: AsyncStore, config: Config, handlers: Mapping[str, Handler], *, folder: Path
    ) -> None:
        self._store = store
        self._config = config
        self._handlers = handlers
        self._folder = folder
        self._new_host = partial(_new_host, config.api.domain)

    def payload(self, event: str, data: Any, *, pointer: str = "") -> Any:
        """Return an event's data (decoded JSON) as the type that its handler takes.

        Raises:
            Rejected: 404 when no handler answers the event, 422 with every field that is wrong.
        """
        handler = self._handlers.get(event)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise Rejected(
                HTTPStatus.NOT_FOUND,
                "unknown_event",
                f"type is not one of {known}; nothing was done",
            )
        return payloads.check(data, handler.payload, pointer=pointer)

    async def accept(
        self,
        arrival: Arrival,
        answer: Callable[[Decision], Any],
        *,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Receipt:
        """Return the receipt of an event, the same each time that the event comes.

        A refused event is bound to its content as an accepted one is.

        Args:
            arrival: The event.
            answer: Makes the endpoint's answer, a JSON document, out of the decision.
            status: The status of that answer.

        Raises:
            Rejected: Nothing was changed.
            Temporary: Redis does not answer; nothing was changed.
        """
        async with binding.on_refusal(
            self._store, arrival.message_id, arrival.digest, for_ever=arrival.for_ever
        ):
            return await self._accepted(arrival, answer, status)

    async def _accepted(
        self, arrival: Arrival, answer: Callable[[Decision], Any], status: HTTPStatus
    ) -> Receipt:
        try:
            return await self._committed(arrival, answer, status)
        except Replayed as replayed:
            return _repeated(arrival, replayed.receipt)
        except Bound:
            raise binding.message_differs() from None
        except Full:
            raise Rejected(
                HTTPStatus.TOO_MANY_REQUESTS,
                "full",
                f"{self._config.task.max_active} tasks are active, as many as the operator allows",
                retry_after=_FULL_RETRY_AFTER_SECONDS,
            ) from None
        except RedisFull:
            raise Rejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "redis_full",
                "the provider's database is almost full; nothing was changed, send it again later",
                retry_after=_FULL_RETRY_AFTER_SECONDS,
            ) from None

    async def acknowledge(self, arrival: Arrival, document: Any) -> Receipt:
        """Accept an event about an unknown task: its receipt, with this answer, is all it changes.

        Raises:
            Rejected: 409 when the key came with other content before; nothing was changed.
            Temporary: Redis does not answer; nothing was changed.
        """
        receipt = _receipt(arrival, document, HTTPStatus.OK, now=time.time())
        try:
            await self._store.commit(_transaction(arrival, receipt))
        except Replayed as replayed:
            return _repeated(arrival, replayed.receipt)
        except Bound:
            raise binding.message_differs() from None
        return receipt

    async def _committed(
        self, arrival: Arrival, answer: Callable[[Decision], Any], status: HTTPStatus
    ) -> Receipt:
        for attempt in range(_MAX_ATTEMPTS):
            now = time.time()
            decision = await self._decided(arrival, now=now, again=attempt > 0)
            task_id = decision.task.id
            receipt = _receipt(arrival, answer(decision), status, now=now, task_id=task_id)
            max_active = self._config.task.max_active if decision.limited else None
            transaction = _transaction(arrival, receipt, decision.changes, max_active=max_active)
            try:
                await self._store.commit(transaction)
            except Conflict:
                continue
            log.info("event accepted", type=arrival.type, task=task_id)
            return receipt
        raise store_unavailable()

    async def _decided(self, arrival: Arrival, *, now: float, again: bool) -> Decision:
        context = HandlerContext(
            store=self._store,
            config=self._config,
            folder=self._folder,
            now=now,
            again=again,
            new_host=self._new_host,
        )
        try:
            return await self._handlers[arrival.type].handle(arrival.payload, context)
        except Rejected as rejected:
            # An event that was accepted before is answered as before, whatever became of the task.
            if receipt := await self._store.receipt(arrival.message_id):
                raise Replayed(receipt) from None
            # A handler names fields of the data; the sender looks for them in the body.
            rejected.errors = tuple(
                FieldError(arrival.pointer + error.pointer, error.detail)
                for error in rejected.errors
            )
            raise


def store_unavailable() -> Rejected:
    """Return the refusal while Redis does not answer or has too many conflicts: 503."""
    return Rejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "the provider cannot reach its database at the moment; nothing was changed, send it again",
        retry_after=_RETRY_AFTER_SECONDS,
    )


def _new_host(domain: str) -> str:
    """Return a fresh host name: 10 characters under the domain, protocol section 2."""
    return f"{secrets.token_hex(_LABEL_LENGTH // 2)}.{domain}"


def _receipt(
    arrival: Arrival, document: Any, status: HTTPStatus, *, now: float, task_id: str = ""
) -> Receipt:
    return Receipt(
        digest=arrival.digest,
        status=status,
        body=msgspec.json.encode(document),
        task_id=task_id,
        received_at=now,
    )


def _transaction(
    arrival: Arrival,
    receipt: Receipt,
    changes: tuple[Change, ...] = (),
    *,
    max_active: int | None = None,
) -> Transaction:
    return Transaction(
        changes=changes,
        message_id=arrival.message_id,
        receipt=receipt,
        receipt_for_ever=arrival.for_ever,
        max_active=max_active,
        counters=(f"events_accepted:{arrival.type}",),
        unless_full=any(change.grows for change in changes),
    )


def _repeated(arrival: Arrival, receipt: Receipt) -> Receipt:
    """Return the receipt of an event that was accepted before."""
    if receipt.digest != arrival.digest:
        raise binding.message_differs()
    log.info("event repeated", type=arrival.type, task=receipt.task_id)
    return receipt
