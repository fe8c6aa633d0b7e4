"""Requests within bounds: how long a body, how large and how slow a head may be."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import Rejected

MAX_HEAD_BYTES = 32 << 10
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0


async def body(request: Request, *, max_bytes: int) -> bytes:
    """Read a request's body.

    Raises:
        Rejected: 413 as soon as it is longer than `max_bytes`, 408 when it does not end in time, 400
            when the client goes away in the middle.
    """
    chunks = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                chunks += chunk
                if len(chunks) > max_bytes:
                    raise Rejected(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "too_large",
                        f"the body is longer than {max_bytes} bytes ([WEBHOOK] MaxBodyBytes)",
                    )
    except TimeoutError:
        raise Rejected(
            HTTPStatus.REQUEST_TIMEOUT,
            "too_slow",
            f"the body took longer than {BODY_SECONDS:.0f} s",
        ) from None
    except ClientDisconnect:
        raise Rejected(HTTPStatus.BAD_REQUEST, "cut_off", "the body ended early") from None
    return bytes(chunks)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on a request's head, which it does not have itself."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A further request on the connection has its own head."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Count what comes while the head is not complete."""
        waiting = self._deadline
        super().data_received(data)
        if waiting is not None and self._deadline is waiting:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _wait(self) -> None:
        self._stop_waiting()
        self._head_bytes = 0
        self._deadline = self.loop.call_later(
            HEAD_SECONDS, self._refuse, HTTPStatus.REQUEST_TIMEOUT
        )

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\n\r\n"
            self.transport.write(line.encode())
            self.transport.close()
