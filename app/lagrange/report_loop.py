"""Scheduled reports to Lagrange: registration, heartbeat and resources.

Each report has its own schedule and timeout. Of several replicas one reports at a time: it holds a
lease (`store.leases`), and checks it before each call.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec
import structlog

from app.config import Lag
from app.errors import Failure, Temporary
from app.lagrange import report_payloads
from app.net import http_client
from app.store import AsyncStore, redis_keys
from app.store.leases import AsyncLease, LeaseLost
from app.store.records import Report
from k8s.inventory.inventory import Inventory
from k8s.inventory.quantities import ResourceAmounts

log = structlog.get_logger()

Duty = Callable[[AsyncLease], Awaitable[None]]

LEASE = timedelta(seconds=6)
_RENEW_SECONDS = 2.0
_TAKE_SECONDS = 1.0
_CANCELLED_EVERY = 0.5
_FIRST_LOOK_SECONDS = 5.0
_FIRST_LOOK_POLL_SECONDS = 0.1
_AFTER_FAILURE_SECONDS = 15.0
_MAX_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The interval of a report and its timeout, in seconds."""

    every: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Schedules:
    """The schedules of the protocol."""

    registration: Schedule = Schedule(every=15, timeout=10)
    heartbeat: Schedule = Schedule(every=15, timeout=10)
    summary: Schedule = Schedule(every=10, timeout=8)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The cluster, as far as reports need it.

    Attributes:
        inventory: Its nodes.
        free: Resources neither used nor reserved, by node.
        active: True if the operator's policy admits further jobs.
    """

    inventory: Inventory
    free: Mapping[str, ResourceAmounts]
    active: bool


class Reporter:
    """Reports the provider to Lagrange while this replica holds the lease.

    Args:
        store: Redis.
        lagrange: Lagrange's URL and the token.
        provider: The provider to report.
        look: Reads the cluster's state; None while there is no recent snapshot.
        more: Further duties of the replica that holds the lease; each has its own schedule.
        schedules: Of the reports.
    """

    def __init__(
        self,
        store: AsyncStore,
        lagrange: Lag,
        provider: report_payloads.Provider,
        look: Callable[[], Awaitable[ReportFacts | None]],
        *,
        more: tuple[Duty, ...] = (),
        schedules: Schedules = Schedules(),
    ) -> None:
        self._store = store
        self._url = lagrange.server_url.rstrip("/")
        self._headers = {
            "authorization": f"Bearer {lagrange.access_token}",
            "content-type": "application/json",
        }
        self._provider = provider
        self._look = look
        self._schedules = schedules
        self._unregistered = asyncio.Event()
        self._duties: tuple[Duty, ...] = (
            self._register,
            self._beat,
            self._summarise,
            *more,
        )

    async def run(self, stopped: asyncio.Event) -> None:
        """Report until `stopped` is set, whenever this replica holds the lease."""
        async with http_client.client() as session:
            self._session = session
            while not stopped.is_set():
                if lease := await self._taken():
                    log.info("reports begin")
                    await self._lead(lease, stopped)
                    log.info("reports end")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TAKE_SECONDS):
                        await stopped.wait()

    async def _taken(self) -> AsyncLease | None:
        try:
            return await AsyncLease.take(
                self._store.connection,
                redis_keys.leader("reports"),
                seconds=LEASE.total_seconds(),
            )
        except Temporary as error:
            log.warning("lease to report not taken", error=error.message)
            return None

    async def _lead(self, lease: AsyncLease, stopped: asyncio.Event) -> None:
        """Run all duties concurrently until the lease is lost or `stopped` is set."""
        tasks = [asyncio.create_task(self._renew(lease))]
        tasks += [asyncio.create_task(_supervise(duty, lease)) for duty in self._duties]
        stop = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait({*tasks, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _ended({*tasks, stop})
            with suppress(Temporary):
                await lease.release()

    async def _renew(self, lease: AsyncLease) -> None:
        """Renew the lease until it is lost; an outage of Redis does not mean that it is."""
        while True:
            try:
                await lease.renew()
            except LeaseLost:
                return
            except Temporary as error:
                log.warning("lease to report not renewed", error=error.message)
            await asyncio.sleep(_RENEW_SECONDS)

    async def _register(self, lease: AsyncLease) -> None:
        """Register at once, then regularly, and whenever a heartbeat failed."""
        schedule = self._schedules.registration
        await self._first_look()
        while True:
            self._unregistered.clear()
            seen = await self._seen()
            status: report_payloads.Status = "Active" if seen and seen.active else "Inactive"
            body = report_payloads.registration(self._provider, status)
            await self._report(lease, "/cp", body, schedule)
            with suppress(TimeoutError):
                async with asyncio.timeout(schedule.every):
                    await self._unregistered.wait()

    async def _first_look(self) -> None:
        """Wait for the first snapshot, so that the provider is not registered as inactive."""
        until = time.monotonic() + _FIRST_LOOK_SECONDS
        while await self._seen() is None and time.monotonic() < until:  # noqa: ASYNC110 - Redis.
            await asyncio.sleep(_FIRST_LOOK_POLL_SECONDS)

    async def _seen(self) -> ReportFacts | None:
        try:
            return await self._look()
        except Failure as error:
            log.warning("cluster not seen", error=error.message)
            return None

    async def _beat(self, lease: AsyncLease) -> None:
        schedule = self._schedules.heartbeat
        body = report_payloads.heartbeat(self._provider)

        async def beat() -> None:
            if not await self._report(lease, "/cp/heartbeat", body, schedule):
                self._unregistered.set()

        await asyncio.sleep(schedule.every)
        await regularly(beat, schedule.every)

    async def _summarise(self, lease: AsyncLease) -> None:
        schedule = self._schedules.summary

        async def summarise() -> None:
            if seen := await self._seen():
                body = report_payloads.resources(self._provider, seen.inventory, seen.free)
                await self._report(lease, "/cp/summary", body, schedule)

        await self._first_look()
        await regularly(summarise, schedule.every)

    async def _report(
        self, lease: AsyncLease, path: str, body: dict[str, Any], schedule: Schedule
    ) -> bool:
        """Send one report and save its outcome; return whether Lagrange accepted it."""
        error = await self._sent(lease, path, body, schedule)
        if error is None:
            return False
        status = str(body.get("status", ""))
        try:
            await self._store.save_report(path, Report(at=time.time(), error=error, status=status))
        except Temporary as away:
            log.warning("report not written down", path=path, error=away.message)
        return not error

    async def _sent(
        self, lease: AsyncLease, path: str, body: dict[str, Any], schedule: Schedule
    ) -> str | None:
        """Send one report; return the error, empty if accepted, None if the lease was lost."""
        try:
            await lease.check()
            answer = await http_client.send(
                self._session,
                "POST",
                self._url + path,
                body=msgspec.json.encode(body),
                headers=self._headers,
                timeout_seconds=schedule.timeout,
                max_answer_bytes=_MAX_ANSWER_BYTES,
            )
        except LeaseLost:
            return None
        except Failure as error:
            log.warning("report not sent", path=path, error=error.message)
            return error.message
        if answer.status // 100 == HTTPStatus.OK // 100:
            return ""
        log.warning("report refused", path=path, status=answer.status)
        return f"Lagrange answered {answer.status}"


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel until all have ended: a cancellation can be swallowed as an await returns."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CANCELLED_EVERY)


async def _supervise(duty: Duty, lease: AsyncLease) -> None:
    """Restart a duty that fails; the others go on."""
    while True:
        try:
            await duty(lease)
        except LeaseLost:
            return
        except Exception:
            log.exception("duty broke", duty=getattr(duty, "__name__", ""))
            await asyncio.sleep(_AFTER_FAILURE_SECONDS)


async def regularly(duty: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Run a duty at a fixed interval, measured from start to start."""
    while True:
        started = time.monotonic()
        try:
            await duty()
        except Failure as error:
            log.warning("duty failed", error=error.message)
        await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
