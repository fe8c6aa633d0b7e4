"""The stand-in for Lagrange, and a provider that only listens."""

import threading
from collections.abc import Iterator

import pytest

from app.demo.fake_lagrange import (
    Lagrange,
)
from tests.support.mute_provider import Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that only listens."""
    running = Provider()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


@pytest.fixture
def lagrange() -> Iterator[Lagrange]:
    """A running stand-in that knows its provider's names."""
    with Lagrange(access_token="token", account="0xAccount", node_id="04ff") as running:
        yield running
