"""Callbacks while the key that signs them is being replaced, on real sockets."""

import asyncio
import time

import msgspec
import pytest
import redis.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.config import Lag
from app.demo.fake_lagrange import Lagrange
from app.lagrange.callbacks import Sender
from app.net import signatures
from app.store import AsyncStore, Transaction
from app.store.job_data import JobData
from app.tasks import transitions
from tests.support import market


@pytest.mark.parametrize(("trusted", "is_valid"), [(0, True), (1, True), (2, False)])
async def test_every_key_signs(redis_url: str, *, trusted: int, is_valid: bool) -> None:
    """Lagrange can check a callback with the new key or with the old one, and with no other."""
    known = [Ed25519PrivateKey.generate() for _ in range(3)]
    job = msgspec.convert(market.job(), JobData)
    born = transitions.accepted(job, host="x", now=time.time(), start_timeout_seconds=9)
    with Lagrange(access_token="token") as lagrange:
        lagrange.know(
            account="0x",
            node_id="04",
            provider_key=signatures.public_text(known[trusted].public_key()),
        )
        store = AsyncStore(redis.asyncio.Redis.from_url(redis_url))
        await store.commit(Transaction(changes=(born,)))
        task = await store.get(job.uuid)
        assert task
        fetching = transitions.fetching(task, now=time.time())
        await store.commit(Transaction(changes=(fetching,)))
        lag = Lag(server_url=lagrange.url, access_token="token")
        stopping = asyncio.Event()
        sending = asyncio.create_task(Sender(store, lag, *known[:2]).run(stopping))
        while not (came := lagrange.callbacks(job.uuid)):  # noqa: ASYNC110 - a thread's.
            await asyncio.sleep(0.02)
        stopping.set()
        await sending
        await store.close()
    assert (came[0].signature == "valid") is is_valid
