"""Requests that are sent, whose every answer is returned."""

import asyncio

import pytest

from app.errors import Permanent, Temporary
from app.net import http_client
from app.net.response_bodies import retry_after
from tests.support.raw_http import answer, answering, serving


async def _send(port: int, path: str = "/", *, seconds: float = 10) -> http_client.Answer:
    async with http_client.client() as session:
        return await http_client.send(
            session,
            "POST",
            f"http://127.0.0.1:{port}{path}",
            body=b"{}",
            headers={"X-Own": "1"},
            timeout_seconds=seconds,
            max_answer_bytes=10,
        )


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "500 Oops"])
async def test_send_returns_any_answer(status: str) -> None:
    """Every status is an answer; redirects are not followed and long bodies are cut."""
    handler, heads = answering(answer(status, b"0123456789abc", "Location: /x", "Retry-After: 3"))
    async with serving(handler) as port:
        found = await _send(port)
    assert (found.status, found.body) == (int(status[:3]), b"0123456789")
    assert retry_after(found.headers) == 3
    assert len(heads) == 1
    assert b"X-Own: 1" in heads[0]


async def test_send_is_bounded_in_time() -> None:
    """A server that does not answer in time is unreachable, and its URL's secrets are not told."""

    async def sleep(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(sleep) as port:
        with pytest.raises(Temporary) as caught:
            await _send(port, "/x?token=secret", seconds=0.5)
    assert caught.value.category == "unreachable"
    assert "secret" not in str(caught.value)


async def test_send_to_a_malformed_url() -> None:
    """A URL that is none is the operator's error."""
    async with http_client.client() as session:
        for url in ("http://[::1", "http:///x", "nonsense"):
            with pytest.raises(Permanent):
                await http_client.send(
                    session,
                    "GET",
                    url,
                    body=b"",
                    headers={},
                    timeout_seconds=1,
                    max_answer_bytes=1,
                )
