"""Webhooks that arrive at once: one effect, one answer."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp

from app.context import Context
from app.store import redis_keys
from tests.support import market
from tests.support.held_tasks import held
from tests.support.web_server import Web, processes

DUPLICATES = 1000


async def _sent(messages: list[tuple[int, market.Signed]]) -> list[tuple[int, bytes]]:
    """Send all messages at once, each to the port that is given with it."""
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(port: int, message: market.Signed) -> tuple[int, bytes]:
            async with session.post(
                f"http://127.0.0.1:{port}/webhooks", data=message.body, headers=message.headers
            ) as response:
                return response.status, await response.read()

        return await asyncio.gather(*(send(port, message) for port, message in messages))


def test_a_thousand_duplicates_over_two_processes(provider_folder: Path, context: Context) -> None:
    """However often and wherever a webhook arrives at once, it has one effect, one answer."""
    data = market.job()
    message = market.signed("job.assigned", data)
    with processes(provider_folder, 2) as ports:
        answers = asyncio.run(_sent([(ports[i % 2], message) for i in range(DUPLICATES)]))
        assert set(Counter(answers)) == {answers[0]}
        assert answers[0][0] == 202
        assert context.redis.lrange("rq:queue:work", 0, -1)
        assert context.redis.llen("rq:queue:work") == 1
        assert context.redis.zcard(redis_keys.TASKS) == 1
        assert context.redis.zcard(redis_keys.OUTBOX) == 0
        assert context.redis.hlen(redis_keys.HOSTS) == 1
        assert held(context, data).version == 1
        renewal = market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})
        answers = asyncio.run(_sent([(ports[i % 2], renewal) for i in range(DUPLICATES)]))
        assert {status for status, _ in answers} == {202}
        assert len(set(answers)) == 1
        assert held(context, data).duration == 960


def test_one_job_in_many_messages_at_once(web: Web, context: Context) -> None:
    """The same job in messages of different ids is one task all the same."""
    data = market.job()
    messages = [(web.port, market.signed("job.assigned", data)) for _ in range(50)]
    answers = asyncio.run(_sent(messages))
    assert {status for status, _ in answers} == {202}
    assert len({body for _, body in answers}) == 1
    assert context.redis.llen("rq:queue:work") == 1


def test_renewals_at_once_all_count(web: Web, context: Context) -> None:
    """No renewal is lost to another that comes at the same time."""
    data = market.job()
    web.webhook("job.assigned", data)
    renewal = {"job_uuid": data["uuid"], "duration": 7}
    messages = [(web.port, market.signed("job.renewed", renewal)) for _ in range(12)]
    answers = asyncio.run(_sent(messages))
    accepted = sum(status == 202 for status, _ in answers)
    assert accepted == 12
    assert held(context, data).duration == 900 + 12 * 7
