"""The feeds of all tasks that somebody watches, and how many may."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from app.store import AsyncStore
from app.web.logs.feed import Cursor, Feed

MAX_WATCHERS = 1000
MAX_WATCHERS_OF_TASK = 256
MAX_FEEDS = 64


class Crowded(Exception):
    """There are too many watchers; another time there may be fewer."""


class Feeds:
    """Who watches what."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._feeds: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._watchers: Counter[str] = Counter()

    @contextmanager
    def watcher(self, task_id: str) -> Iterator[None]:
        """Count one more watcher of a task's logs for as long as the block runs.

        Raises:
            Crowded: There are as many as there may be.
        """
        if self._watchers[task_id] >= MAX_WATCHERS_OF_TASK:
            raise Crowded(f"{MAX_WATCHERS_OF_TASK} connections watch this task; try again later")
        if self._watchers.total() >= MAX_WATCHERS:
            raise Crowded(f"{MAX_WATCHERS} connections watch logs; try again later")
        self._watchers[task_id] += 1
        try:
            yield
        finally:
            self._watchers[task_id] -= 1
            self._watchers += Counter()  # Without those that are 0.

    @asynccontextmanager
    async def joined(self, task_id: str) -> AsyncIterator[Cursor]:
        """Watch a task's containers while the block runs; the last one to leave ends the reading.

        Raises:
            Crowded: There are as many tasks watched as there may be.
        """
        if task_id not in self._feeds and len(self._feeds) >= MAX_FEEDS:
            raise Crowded(f"the logs of {MAX_FEEDS} tasks are watched; try again later")
        if task_id not in self._feeds:
            feed = Feed(self._store, task_id)
            self._feeds[task_id] = feed, asyncio.create_task(feed.run())
        feed, running = self._feeds[task_id]
        cursor = feed.join()
        try:
            yield cursor
        finally:
            feed.watchers.discard(cursor)
            if not feed.watchers and self._feeds.get(task_id) == (feed, running):
                del self._feeds[task_id]
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
