"""The thread of the process `clock` that reports to Lagrange, with its own event loop."""

import asyncio
import platform
import signal
import threading
import time
from functools import partial

import structlog

from app.admission import inventory_snapshot, quotas
from app.admission.reservations.free import free
from app.admission.reservations.ledger import Ledger
from app.context import Context
from app.errors import ConfigError
from app.lagrange import report_payloads
from app.lagrange.missed_terminations import CatchUp
from app.lagrange.report_loop import Reporter, ReportFacts
from app.store import redis_keys
from k8s.inventory.inventory import Inventory

log = structlog.get_logger()

_POLL_SECONDS = 0.2


def start(context: Context, stopped: threading.Event) -> threading.Thread | None:
    """Report until `stopped` is set; join the thread so that the lease is released."""
    if not context.config.lag.access_token:
        log.warning("nothing is reported to Lagrange: [LAG] AccessToken is empty")
        return None
    thread = threading.Thread(target=_serve, args=(context, stopped), daemon=True)
    thread.start()
    return thread


def provider(context: Context) -> report_payloads.Provider:
    """Return the provider that reports."""
    table = context.config.api
    return report_payloads.Provider(
        name=table.node_name or platform.node(),
        node_id=context.identity.node_id,
        multi_address=table.multi_address,
        region=table.region,
    )


async def look(context: Context) -> ReportFacts | None:
    """Return the state of the cluster; None if the snapshot is missing or too old.

    Raises:
        Temporary: Redis does not answer.
    """
    snapshot = inventory_snapshot.read(await context.async_store.value(redis_keys.INVENTORY))
    if snapshot is None or not snapshot.is_valid(time.time()):
        return None
    ledger = Ledger.read(await context.async_store.fields(redis_keys.RESERVATIONS))
    return ReportFacts(
        snapshot.inventory,
        free=free(snapshot.inventory, ledger),
        active=_is_active(context, snapshot.inventory, ledger),
    )


def _is_active(context: Context, inventory: Inventory, ledger: Ledger) -> bool:
    """Tell whether the policy admits further jobs; an unreadable one admits none."""
    try:
        return quotas.active(inventory, ledger, quotas.load(context.folder))
    except ConfigError as error:
        log.warning("policy not readable, the provider is inactive", error=str(error))
        return False


def _serve(context: Context, stopped: threading.Event) -> None:
    try:
        asyncio.run(_report(context, stopped))
    except Exception:
        log.exception("reports broke; the process ends, to be started again")
        signal.raise_signal(signal.SIGTERM)


async def _report(context: Context, stopped: threading.Event) -> None:
    catch_up = CatchUp(context.async_store, context.config, context.identity.node_id)
    reporter = Reporter(
        context.async_store,
        context.config.lag,
        provider(context),
        partial(look, context),
        more=(catch_up.run,),
    )
    stopping = asyncio.Event()
    reporting = asyncio.create_task(reporter.run(stopping))
    while not stopped.is_set() and not reporting.done():  # noqa: ASYNC110 - a thread's event.
        await asyncio.sleep(_POLL_SECONDS)
    stopping.set()
    await reporting
    await context.async_store.close()
