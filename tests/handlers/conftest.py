"""A handler's context on a real Redis."""

from collections.abc import AsyncIterator

import pytest

from app.context import Context
from app.intake.dispatch import HandlerContext
from tests.support import handler_contexts


@pytest.fixture
async def handler_context(context: Context) -> AsyncIterator[HandlerContext]:
    """The context of a first decision by a provider without tasks."""
    own = Context(context.folder, context.config)  # Redis' connections belong to one event loop.
    yield handler_contexts.handler_context(own)
    await own.async_store.close()
