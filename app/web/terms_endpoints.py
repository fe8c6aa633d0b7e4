"""The operator's terms as Lagrange asks for them: white list, black list and prices (v1.1.5).

Everybody may ask, so that a list is read for one at a time: whoever asks meanwhile gets the same.
"""

import asyncio
from functools import partial
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admission import prices as admission_prices
from app.admission import wallet_lists
from app.admission.prices import PriceList
from app.admission.wallet_lists import Lists
from app.context import Context
from app.errors import Rejected
from app.web import responses
from app.web.legacy_jobs import BASE

_RETRY_AFTER_SECONDS = 60


class Terms:
    """Answers in the envelope; a list or a price that cannot be read is 503, never an empty one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        table = context.config.admission
        self._white_list = table.white_list
        self._black_list = table.black_list
        self._under_way: dict[str, asyncio.Task[wallet_lists.Wallets]] = {}
        self.routes = [
            Route(f"{BASE}/lagrange/cp/whitelist", self._white),
            Route(f"{BASE}/lagrange/cp/blacklist", self._black),
            Route(f"{BASE}/lagrange/cp/price", self._price),
        ]

    async def _white(self, _: Request) -> Response:
        return await self._listed(self._white_list, "white list")

    async def _black(self, _: Request) -> Response:
        return await self._listed(self._black_list, "black list")

    async def _listed(self, source: str, name: str) -> Response:
        """The wallets, none when the operator has no such list; read in a thread, which waits."""
        if not source:
            return responses.envelope([])
        if source not in self._under_way:
            reading = asyncio.create_task(asyncio.to_thread(self._read, source))
            self._under_way[source] = reading
            reading.add_done_callback(partial(self._forget, source))
        try:
            found = await asyncio.shield(self._under_way[source])
        except wallet_lists.UnreadableList as error:
            raise _unreadable(name) from error
        return responses.envelope(sorted(found))

    def _forget(self, source: str, over: "asyncio.Task[wallet_lists.Wallets]") -> None:
        del self._under_way[source]
        if not over.cancelled():
            over.exception()  # Who asked may have gone.

    def _read(self, source: str) -> wallet_lists.Wallets:
        context = self._context
        known = Lists(context.config.admission, context.folder, context.store)
        return asyncio.run(known.read(source))

    async def _price(self, _: Request) -> Response:
        pricing = self._context.config.admission.pricing
        try:
            prices = admission_prices.load(self._context.folder) or PriceList()
        except admission_prices.UnreadablePrices as error:
            raise _unreadable("price list") from error
        return responses.envelope(prices.told(pricing=pricing))


def _unreadable(name: str) -> Rejected:
    return Rejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        f"the provider cannot read its {name} at the moment",
        retry_after=_RETRY_AFTER_SECONDS,
    )
