"""Tasks whose logs are watched."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.container_log import Addition, Writer
from app.context import Context
from tests import market
from tests.app.test_intake import held
from tests.web import Web

JOBS = "/api/v1/computing/lagrange/jobs"


class Watchable:
    """A task, the addresses of its logs, and the other side of them."""

    def __init__(self, web: Web, context: Context) -> None:
        self.data = market.job()
        body = market.encoded(self.data)
        self.answer: dict[str, Any] = web.post(JOBS, body, market.v1(body)).json
        self.id = held(context, self.data).id
        self.context = context
        self.writer = Writer(context.redis)
        self._port = web.port
        self._count = 0

    def address(self, kind: str = "container", *, plain: bool = False) -> str:
        """Where a log is seen, as the answer to the assignment tells it, on this machine."""
        parts = urlsplit(self.answer[f"{kind}_log"])
        query = parts.query.partition("&code=")[0] if plain else parts.query
        return f"ws://127.0.0.1:{self._port}{parts.path}?{query}"

    def write(self, *lines: str, over: str = "") -> None:
        """Add to the log of its containers, as its reader does."""
        self.writer.lease(self.id)
        encoded = [line.encode() for line in lines]
        self.writer.append([Addition(task_id=self.id, lines=encoded, over=over)])

    def is_wanted(self) -> bool:
        """Whether somebody watches its containers."""
        return self.id in self.writer.wanted(0)


Assign = Callable[[], Watchable]


@pytest.fixture
def assign(web: Web, context: Context) -> Assign:
    """Makes tasks."""
    return lambda: Watchable(web, context)


@pytest.fixture
def task(assign: Assign) -> Watchable:
    """A task."""
    return assign()
