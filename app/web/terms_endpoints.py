"""The operator's terms as Lagrange asks for them: white list, black list and prices (v1.1.5).

These endpoints need no authentication, so each list has one read at a time: requests that come
meanwhile share its result.
"""

import asyncio
from functools import partial
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from app.admission import prices as admission_prices
from app.admission import wallet_lists
from app.admission.prices import PriceList
from app.admission.wallet_lists import Lists
from app.context import Context
from app.errors import Rejected
from app.web import responses

_RETRY_AFTER_SECONDS = 60


class TermsEndpoints:
    """Wallet lists and prices; one that cannot be read is 503, never empty."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reads: dict[str, asyncio.Task[wallet_lists.Wallets]] = {}

    async def white_list(self, _: Request) -> Response:
        """Answer with the only wallets that are served, if the operator lists any."""
        return await self._wallets(self._context.config.admission.white_list, "white list")

    async def black_list(self, _: Request) -> Response:
        """Answer with the wallets that are refused."""
        return await self._wallets(self._context.config.admission.black_list, "black list")

    async def prices(self, _: Request) -> Response:
        """Answer with the price list."""
        pricing = self._context.config.admission.pricing
        try:
            prices = admission_prices.load(self._context.folder) or PriceList()
        except admission_prices.UnreadablePrices as error:
            raise _unreadable("price list") from error
        return responses.success(prices.told(pricing=pricing))

    async def _wallets(self, source: str, name: str) -> Response:
        """Answer with the wallets of a list, none when the operator has no such list."""
        if not source:
            return responses.success([])
        if source not in self._reads:
            read = asyncio.create_task(asyncio.to_thread(self._read, source))
            self._reads[source] = read
            read.add_done_callback(partial(self._forget, source))
        try:
            wallets = await asyncio.shield(self._reads[source])
        except wallet_lists.UnreadableList as error:
            raise _unreadable(name) from error
        return responses.success(sorted(wallets))

    def _forget(self, source: str, read: "asyncio.Task[wallet_lists.Wallets]") -> None:
        del self._reads[source]
        if not read.cancelled():
            read.exception()  # Retrieved, since every client may have disconnected.

    def _read(self, source: str) -> wallet_lists.Wallets:
        """Read a list in a thread of its own: the synchronous store may block."""
        context = self._context
        lists = Lists(context.config.admission, context.folder, context.store)
        return asyncio.run(lists.read(source))


def _unreadable(name: str) -> Rejected:
    return Rejected(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        f"the provider cannot read its {name} at the moment",
        retry_after=_RETRY_AFTER_SECONDS,
    )
