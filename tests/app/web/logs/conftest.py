"""Tasks whose logs are watched."""

import pytest

from app.context import Context
from tests.support.watched_logs import Assign, Watchable
from tests.support.web_server import Web


@pytest.fixture
def assign(web: Web, context: Context) -> Assign:
    """Makes tasks."""
    return lambda: Watchable(web, context)


@pytest.fixture
def task(assign: Assign) -> Watchable:
    """A task."""
    return assign()
