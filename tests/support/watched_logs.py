"""Tasks whose logs are watched."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from app.context import Context
from app.store.container_log_stream import Addition, Writer
from app.web import signed_urls
from tests.support import market
from tests.support.held_tasks import held
from tests.support.legacy_requests import JOBS
from tests.support.web_server import Web


class Watchable:
    """A task, the addresses of its logs, and the other side of them."""

    def __init__(self, web: Web, context: Context, data: dict[str, Any] | None = None) -> None:
        """Assign a job; one with `data` has been."""
        self.data = data or market.job()
        if data is None:
            body = market.encoded(self.data)
            answer = web.post(JOBS, body, market.v1(body)).json
            self._addresses = {kind: answer[f"{kind}_log"] for kind in ("build", "container")}
        else:
            signer = signed_urls.LogUrlSigner(context.config, context.identity)
            task = held(context, data)
            self._addresses = {kind: signer.url(task, kind) for kind in ("build", "container")}
        self.id = self.data["uuid"]
        self.context = context
        self.writer = Writer(context.redis)
        self._port = web.port

    def address(self, kind: str = "container", *, plain: bool = False) -> str:
        """The address of a log, as the answer to the assignment has it, on this machine."""
        parts = urlsplit(self._addresses[kind])
        query = parts.query.partition("&code=")[0] if plain else parts.query
        return f"ws://127.0.0.1:{self._port}{parts.path}?{query}"

    def write(self, *lines: str, over: str = "") -> None:
        """Add to the log of its containers, as its reader does."""
        while not self.writer.lease(self.id) and self.writer.renew([self.id]):
            pass  # It ran out in between.
        encoded = "".join(f"{line}\n" for line in lines).encode()
        self.writer.append([Addition(task_id=self.id, lines=encoded, over=over)])

    def is_wanted(self) -> bool:
        """Tell whether somebody watches its containers."""
        return self.id in self.writer.wanted(0)


Assign = Callable[[], Watchable]
