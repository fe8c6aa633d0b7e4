"""Reports and callbacks from providers, and whether they were correct."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Condition
from typing import Any, Literal

import msgspec

from app.net import signatures

SignatureState = Literal["valid", "invalid", "missing", "unchecked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCallback:
    """A report about a job, as it arrived.

    Attributes:
        received_at: Unix seconds.
        job_uuid: Lower case.
        sequence: As sent; None when it was not.
        message_id: Its `webhook-id`; empty when it has none.
        body: Everything that was sent.
        headers: With lower-case names.
        signature: `unchecked` when the provider's key is not known here.
        in_order: Its sequence is one more than that of the job's last callback (the first has 1).
        repeated: The same message arrived before; it is no new report.
    """

    received_at: float
    job_uuid: str
    status: str
    reason: str
    sequence: int | None
    message_id: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    signature: SignatureState
    in_order: bool
    repeated: bool


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """Anything else that a provider sent: registration, heartbeat, summary."""

    received_at: float
    path: str
    body: Mapping[str, Any]


class _Told(msgspec.Struct, frozen=True):
    job_uuid: str
    status: str
    reason: str = ""
    sequence: int | None = None


@dataclass(slots=True)
class Records:
    """Everything received so far; read from any thread."""

    changed: Condition = field(default_factory=Condition)
    callbacks: list[ReceivedCallback] = field(default_factory=list)
    reports: list[ReceivedReport] = field(default_factory=list)

    def report(self, path: str, body: Mapping[str, Any], *, now: float) -> None:
        """Remember a registration, a heartbeat or a summary."""
        with self.changed:
            self.reports.append(ReceivedReport(now, path, body))
            self.changed.notify_all()

    def registered(self, node_id: str) -> bool:
        """Tell whether a provider has registered."""
        with self.changed:
            return any(
                report.path == "/cp" and report.body.get("node_id") == node_id
                for report in self.reports
            )

    def callback(
        self, raw: bytes, headers: Mapping[str, str], *, provider_key: str, now: float
    ) -> ReceivedCallback:
        """Remember a report about a job.

        Args:
            raw: The body.
            headers: With lower-case names.
            provider_key: `whpk_…`, or empty: the signature is not checked.
            now: Unix seconds.

        Raises:
            ValueError: The body is not a JSON object with the texts `job_uuid` and `status`.
        """
        try:
            told = msgspec.json.decode(raw, type=_Told)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        signature = _check(raw, headers, provider_key, now)
        with self.changed:
            repeated, in_order = self._place(told, headers.get("webhook-id", ""))
            callback = ReceivedCallback(
                received_at=now,
                job_uuid=told.job_uuid.lower(),
                status=told.status,
                reason=told.reason,
                sequence=told.sequence,
                message_id=headers.get("webhook-id", ""),
                body=msgspec.json.decode(raw),
                headers=headers,
                signature=signature,
                in_order=in_order,
                repeated=repeated,
            )
            self.callbacks.append(callback)
            self.changed.notify_all()
        return callback

    def _place(self, report: _Told, message_id: str) -> tuple[bool, bool]:
        earlier = [
            callback for callback in self.callbacks if callback.job_uuid == report.job_uuid.lower()
        ]
        repeated = message_id != "" and any(
            callback.message_id == message_id for callback in earlier
        )
        last = max((callback.sequence or 0 for callback in earlier), default=0)
        return repeated, repeated or report.sequence == last + 1


def _check(raw: bytes, headers: Mapping[str, str], provider_key: str, now: float) -> SignatureState:
    if not headers.get("webhook-signature"):
        return "missing"
    if not provider_key:
        return "unchecked"
    try:
        keys = signatures.parse_keys((), (provider_key,))
        signatures.verify(headers, raw, keys, now=now, tolerance_seconds=300)
    except signatures.InvalidSignatureError:
        return "invalid"
    return "valid"
