"""Binding of a signed message to the endpoint and content of its first use.

A signature covers neither the endpoint nor the query. An accepted event is bound by its receipt;
one that is refused, or that has no receipt, is bound here under the same idempotency key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from app.errors import Rejected
from app.store import AsyncStore


async def bind(store: AsyncStore, message_id: str, digest: str, *, for_ever: bool = False) -> None:
    """Bind a message to its content, unless an earlier use of the same content has.

    Args:
        store: Redis.
        message_id: The sender's idempotency key.
        digest: Of the endpoint and the content.
        for_ever: Whether the signature never expires.

    Raises:
        Rejected: 409: the message was used before with other content.
        Temporary: Redis does not answer.
    """
    if not await store.bind(message_id, digest, for_ever=for_ever):
        raise message_differs()


@asynccontextmanager
async def on_refusal(
    store: AsyncStore, message_id: str, digest: str, *, for_ever: bool = False
) -> AsyncIterator[None]:
    """Bind a message whose signature held if it is refused (4xx) in this block; see `bind`."""
    try:
        yield
    except Rejected as rejected:
        if rejected.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            await bind(store, message_id, digest, for_ever=for_ever)
        raise


def message_differs() -> Rejected:
    """Return the refusal of a message that was used before with other content: 409."""
    return Rejected(
        HTTPStatus.CONFLICT,
        "message_differs",
        "this message id or signature was used before with other content; nothing was changed",
    )
