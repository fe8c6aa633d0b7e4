"""Contexts for handlers on a real Redis, and what tests do with them."""

import itertools

import msgspec

from app.context import Context
from app.intake.dispatch import Decision, HandlerContext
from app.store import Transaction
from app.store.job_data import JobData
from tests.support import market

NOW = 1_800_000_000.0
_numbers = itertools.count(1)


def handler_context(provider: Context) -> HandlerContext:
    """Return the context of a handler that decides for the first time."""
    return HandlerContext(
        store=provider.async_store,
        config=provider.config,
        folder=provider.folder,
        now=NOW,
        again=False,
        new_host=lambda: f"{next(_numbers):010}.cp.example.com",
    )


async def commit(context: HandlerContext, decision: Decision) -> Decision:
    """Commit a handler's decision and return it."""
    await context.store.commit(Transaction(changes=decision.changes))
    return decision


def job(**fields: object) -> JobData:
    """Return a job as a handler gets it; each call another one."""
    return msgspec.convert(market.job(**fields), JobData)
