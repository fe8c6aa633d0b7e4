"""A handler's view of the provider, on a real memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config import Config
from app.context import Context
from app.intake.dispatch import Decision
from app.store import AsyncStore, Transaction

NOW = 1_800_000_000.0


@dataclass
class Moment:
    """What a handler may use; `now` can be moved."""

    store: AsyncStore
    config: Config
    folder: Path
    now: float = NOW
    again: bool = False
    _hosts: int = 0

    def new_host(self) -> str:
        """Return a host name that no other task has."""
        self._hosts += 1
        return f"{self._hosts:010}.cp.example.com"

    async def commit(self, decision: Decision) -> Decision:
        """Write down what a handler decided."""
        await self.store.commit(Transaction(changes=decision.changes))
        return decision


@pytest.fixture
async def moment(context: Context) -> AsyncIterator[Moment]:
    """A moment in which nothing is held."""
    own = Context(context.folder, context.config)
    yield Moment(own.async_store, own.config, own.folder)
    await own.async_store.close()
