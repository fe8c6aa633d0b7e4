"""The feeds of all tasks that are watched, and the limits of their number."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from app.store import AsyncStore
from app.web.logs.feed import Cursor, Feed

MAX_WATCHERS = 1000
MAX_WATCHERS_OF_TASK = 256
MAX_FEEDS = 64


class TooManyWatchers(Exception):
    """A limit is reached; later there may be fewer watchers."""


class Feeds:
    """One feed for each watched task, and the number of its watchers."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._feeds: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._watchers: Counter[str] = Counter()

    @contextmanager
    def watcher(self, task_id: str) -> Iterator[None]:
        """Count one more watcher of a task's logs for as long as the block runs.

        Raises:
            TooManyWatchers: The task, or the process, has as many as it may.
        """
        if self._watchers[task_id] >= MAX_WATCHERS_OF_TASK:
            raise TooManyWatchers(
                f"{MAX_WATCHERS_OF_TASK} connections watch this task; try again later"
            )
        if self._watchers.total() >= MAX_WATCHERS:
            raise TooManyWatchers(f"{MAX_WATCHERS} connections watch logs; try again later")
        self._watchers[task_id] += 1
        try:
            yield
        finally:
            self._watchers[task_id] -= 1
            self._watchers += Counter()  # Drops the zeros.

    @asynccontextmanager
    async def joined(self, task_id: str) -> AsyncIterator[Cursor]:
        """Watch a task's containers while the block runs; the last watcher to leave stops the feed.

        Raises:
            TooManyWatchers: As many tasks are watched as may be.
        """
        if task_id not in self._feeds and len(self._feeds) >= MAX_FEEDS:
            raise TooManyWatchers(f"the logs of {MAX_FEEDS} tasks are watched; try again later")
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
