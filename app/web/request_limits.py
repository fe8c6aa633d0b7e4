"""Requests within bounds: how long a body, how large and how slow a head may be."""

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
        Rejected: 413 as soon as it says that it is, or is, longer than `max_bytes`, 408 when it
            does not end in time, 400 when the client goes away in the middle.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
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
    """Ends the parsing of a head."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits that it does not have itself.

    A head has to come in time and to be small; so has whatever else of a request is not its body
    (trailers, the framing of chunks). A body has to end in time. What a request still sends after
    its answer is read for a moment, so that the answer arrives, and then cut off.
    """

    _in_head = True
    _in_body = False
    _quiet_bytes = 0
    _awaited: float | None = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._in_head = self._in_body = False
        self._wait()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A further request on the connection has its own head."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head, self._in_body = False, True
        fields = sum(len(name) + len(value) + _FIELD_BYTES for name, value in self.headers)
        if len(self.url) + fields > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _TooLargeError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count anew from here."""
        self._quiet_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there, its body included."""
        self._in_body = False
        self._quiet_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that was answered before it ended."""
        super().on_response_complete()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Count what comes that is not a body, and wait for what is missing."""
        self._quiet_bytes += len(data)
        super().data_received(data)
        if self._quiet_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._wait()

    def send_400_response(self, msg: str) -> None:
        """Tell that it was no HTTP, unless the request is refused already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _wait(self) -> None:
        """Set the time for what is missing; it runs from when that was first missed."""
        awaited = None
        if self._in_head:
            awaited = HEAD_SECONDS
        elif self._in_body:
            awaited = LINGER_SECONDS if self.cycle.response_complete else BODY_SECONDS
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if awaited is not None:
            self._deadline = self.loop.call_later(awaited, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Close the connection, with an answer where the client waits for one."""
        if self.transport.is_closing():
            return
        if self._is_next():
            self.transport.write(_refusal(status))
        self.transport.close()

    def _is_next(self) -> bool:
        """Tell whether the next answer on the connection is that of the request which comes in."""
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
