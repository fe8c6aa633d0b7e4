"""The part of the process `clock` that speaks with Lagrange: a thread with an event loop."""

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
    """Report until `stopped` is set; join the thread to let the turn be given back."""
    if not context.config.lag.access_token:
        log.warning("nothing is reported to Lagrange: [LAG] AccessToken is empty")
        return None
    thread = threading.Thread(target=_serve, args=(context, stopped), daemon=True)
    thread.start()
    return thread


def provider(context: Context) -> report_payloads.Provider:
    """Return who reports."""
    table = context.config.api
    return report_payloads.Provider(
        name=table.node_name or platform.node(),
        node_id=context.identity.node_id,
        multi_address=table.multi_address,
        region=table.region,
    )


async def look(context: Context) -> ReportFacts | None:
    """Return what the watcher saw of the cluster; None when that is too long ago.

    Raises:
        Temporary: Redis is away.
    """
    found = inventory_snapshot.read(await context.async_store.kept(redis_keys.INVENTORY))
    if found is None or not found.is_valid(time.time()):
        return None
    book = Ledger.read(await context.async_store.fields(redis_keys.RESERVATIONS))
    return ReportFacts(
        found.inventory,
        free=free(found.inventory, book),
        active=_is_active(context, found.inventory, book),
    )


def _is_active(context: Context, inventory: Inventory, book: Ledger) -> bool:
    """Who cannot read its own policy takes on nothing."""
    try:
        return quotas.active(inventory, book, quotas.load(context.folder))
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
