"""From an authentic event to its answer: validate, decide, commit; alike for every wire form."""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import structlog

from app.config import Config
from app.errors import FieldError, Rejected
from app.intake.dispatch import Decision, Handler
from app.net import typed_json
from app.store import AsyncStore, Conflict, Full, Replayed, Transaction
from app.store.records import Receipt

log = structlog.get_logger()

_LABEL_LENGTH = 10
_MAX_ATTEMPTS = 20
_RETRY_AFTER_SECONDS = 5


class Answer(msgspec.Struct, frozen=True):
    """What goes back: an HTTP status and a body (JSON)."""

    status: int
    body: bytes


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose signature held.

    Attributes:
        type: `job.assigned` and so on.
        data: Decoded JSON, not validated yet.
        message_id: The sender's idempotency key.
        digest: What has to be the same when the key comes again.
        pointer: Where `data` lies in the body, for error messages.
        for_ever: Whether the key is remembered without end, since its signature never gets too old.
    """

    type: str
    data: Any
    message_id: str
    digest: str
    pointer: str = "/data"
    for_ever: bool = False


def digest(*parts: str | bytes) -> str:
    """Return a digest of what was said, each part kept apart from the next."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(raw))
        whole.update(raw)
    return whole.hexdigest()


class _Moment(msgspec.Struct, frozen=True):
    """What a handler sees of the provider."""

    store: AsyncStore
    config: Config
    folder: Path
    now: float
    again: bool

    def new_host(self) -> str:
        """Return a fresh host name: 10 characters under the domain, protocol section 2."""
        return f"{secrets.token_hex(_LABEL_LENGTH // 2)}.{self.config.api.domain}"


class Intake:
    """Takes in events, one at a time or many at once, in any number of processes."""

    def __init__(
        self, store: AsyncStore, config: Config, handlers: Mapping[str, Handler], *, folder: Path
    ) -> None:
        self._folder = folder
        self._store = store
        self._config = config
        self._handlers = handlers

    async def take(self, arrival: Arrival, answered: Callable[[Decision], Answer]) -> Answer:
        """Return the answer to an event, the same each time that it comes.

        Args:
            arrival: The event.
            answered: Makes the answer out of what was decided, in the words of the endpoint.

        Raises:
            Rejected: Nothing was changed.
            Temporary: The memory is away; nothing was changed.
        """
        handler = self._handlers.get(arrival.type)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise Rejected(
                HTTPStatus.NOT_FOUND,
                "unknown_event",
                f"type is not one of {known}; nothing was done",
            )
        payload = _checked(arrival, handler)
        try:
            return await self._taken(arrival, handler, payload, answered)
        except Replayed as replayed:
            return _again(arrival, replayed.receipt)
        except Full:
            raise Rejected(
                HTTPStatus.TOO_MANY_REQUESTS,
                "full",
                f"{self._config.task.max_active} tasks are active, as many as the operator allows",
                retry_after=60,
            ) from None

    async def remember(self, arrival: Arrival, answer: Answer) -> Answer:
        """Answer an event about a task that is not there, and bind its key to what it said.

        Raises:
            Rejected: 409 when the key said something else before; nothing was changed.
            Temporary: The memory is away; nothing was changed.
        """
        receipt = _receipt(arrival, answer, task_id="", now=time.time())
        try:
            await self._store.commit(self._transaction(arrival, receipt))
        except Replayed as replayed:
            return _again(arrival, replayed.receipt)
        return answer

    async def _taken(
        self,
        arrival: Arrival,
        handler: Handler,
        payload: Any,
        answered: Callable[[Decision], Answer],
    ) -> Answer:
        for attempt in range(_MAX_ATTEMPTS):
            now = time.time()
            moment = _Moment(self._store, self._config, self._folder, now, again=attempt > 0)
            try:
                decision = await handler.handle(payload, moment)
            except Rejected as rejected:
                await self._refuse_replay(arrival)
                raise _placed(rejected, arrival.pointer) from None
            answer = answered(decision)
            receipt = _receipt(arrival, answer, task_id=decision.task.id, now=now)
            try:
                await self._store.commit(self._transaction(arrival, receipt, decision))
            except Conflict:
                continue
            log.info("event accepted", type=arrival.type, task=receipt.task_id)
            return answer
        raise unavailable()

    async def _refuse_replay(self, arrival: Arrival) -> None:
        """An event accepted before is answered as before, whatever became of the task since."""
        receipt = await self._store.receipt(arrival.message_id)
        if receipt:
            raise Replayed(receipt)

    def _transaction(
        self, arrival: Arrival, receipt: Receipt, decision: Decision | None = None
    ) -> Transaction:
        limited = decision is not None and decision.limited
        return Transaction(
            changes=decision.changes if decision else (),
            message_id=arrival.message_id,
            receipt=receipt,
            receipt_for_ever=arrival.for_ever,
            max_active=self._config.task.max_active if limited else None,
            counters=(f"events_accepted:{arrival.type}",),
        )


def unavailable() -> Rejected:
    """Return the refusal when the memory is away or too busy; nothing was changed."""
    return Rejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "the provider cannot write anything down at the moment; nothing was changed, send it again",
        retry_after=_RETRY_AFTER_SECONDS,
    )


def _checked(arrival: Arrival, handler: Handler) -> Any:
    try:
        return typed_json.check(arrival.data, handler.payload, pointer=arrival.pointer)
    except typed_json.Invalid as invalid:
        raise Rejected(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", str(invalid), errors=invalid.errors
        ) from None


def _placed(rejected: Rejected, pointer: str) -> Rejected:
    """A handler names fields of the data; the sender looks for them in the body."""
    errors = tuple(FieldError(pointer + one.pointer, one.detail) for one in rejected.errors)
    return Rejected(
        rejected.status,
        rejected.code,
        rejected.detail,
        errors=errors,
        retry_after=rejected.retry_after,
    )


def _receipt(arrival: Arrival, answer: Answer, *, task_id: str, now: float) -> Receipt:
    return Receipt(
        digest=arrival.digest,
        status=answer.status,
        body=answer.body,
        task_id=task_id,
        received_at=now,
    )


def _again(arrival: Arrival, receipt: Receipt) -> Answer:
    if receipt.digest != arrival.digest:
        raise Rejected(
            HTTPStatus.CONFLICT,
            "message_differs",
            "this message id or signature was used before with other content; nothing was changed",
        )
    log.info("event repeated", type=arrival.type, task=receipt.task_id)
    return Answer(receipt.status, receipt.body)
