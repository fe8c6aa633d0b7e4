"""Limits of requests: the length of a body, the size of a head, the time for either."""

import asyncio
from http import HTTPStatus

import msgspec
from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import Rejected

MAX_HEAD_BYTES = 32 << 10
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
LINGER_SECONDS = 3.0
_FIELD_BYTES = len(": \r\n")


async def body(request: Request, *, max_bytes: int) -> bytes:
    """Read a request's body.

    Raises:
        Rejected: 413 as soon as it is declared as, or is, longer than `max_bytes`; 400 when the
            client disconnects in the middle.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > max_bytes:
                raise _too_large(max_bytes)
    except ClientDisconnect:
        raise Rejected(HTTPStatus.BAD_REQUEST, "cut_off", "the body ended early") from None
    return bytes(chunks)


def _too_large(max_bytes: int) -> Rejected:
    return Rejected(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body is longer than {max_bytes} bytes ([WEBHOOK] MaxBodyBytes)",
    )


class _TooLargeError(Exception):
    """The head is too large: its parsing ends."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits that it lacks.

    A head has to be small and to arrive in time, like everything else of a request but its body
    (trailers, the framing of chunks). A body has to end in time: 408. What a client still sends
    after the response is read for a moment, so that the response arrives; then the connection is
    closed.
    """

    _in_head = True
    _in_body = False
    _overhead_bytes = 0
    _allowed_seconds: float | None = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Start the time for the first head."""
        super().connection_made(transport)
        self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._in_head = self._in_body = False
        self._set_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that the head of the next request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that is too large."""
        self._in_head, self._in_body = False, True
        fields = sum(len(name) + len(value) + _FIELD_BYTES for name, value in self.headers)
        if len(self.url) + fields > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _TooLargeError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Reset the count: this is body."""
        self._overhead_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete, its body included."""
        self._in_body = False
        self._overhead_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the time for the rest of a request that was answered before it ended."""
        super().on_response_complete()
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        """Count the bytes that are not body, and start the time for what is missing."""
        self._overhead_bytes += len(data)
        super().data_received(data)
        if self._overhead_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._set_timer()

    def send_400_response(self, msg: str) -> None:
        """Respond to malformed HTTP, unless the request is refused already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _set_timer(self) -> None:
        """Start the timer when another part of a request becomes due; else let it run."""
        seconds = None
        if self._in_head:
            seconds = HEAD_SECONDS
        elif self._in_body:
            seconds = LINGER_SECONDS if self.cycle.response_complete else BODY_SECONDS
        if seconds == self._allowed_seconds:
            return
        self._allowed_seconds = seconds
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Close the connection, with a response where the client waits for one."""
        if self.transport.is_closing():
            return
        if self._is_next():
            self.transport.write(_refusal(status))
        self.transport.close()

    def _is_next(self) -> bool:
        """Tell whether the next response on the connection belongs to the incoming request."""
        if self.cycle is None or self._in_head:
            return self.cycle is None or self.cycle.response_complete
        return not self.cycle.response_started and not self.pipeline


def _refusal(status: HTTPStatus) -> bytes:
    document = {"type": "about:blank", "title": status.phrase, "status": status.value}
    content = msgspec.json.encode(document)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content
