"""Log lines as WebSocket frames, encoded once for all clients, and a protocol that sends them."""

import asyncio
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from k8s import logs

MESSAGE = "websocket.send"
SEND_BUFFER_BYTES = 256 << 10
CLOSE_SECONDS = 5.0
MAX_MESSAGE_BYTES = 4096


def of(lines: Iterable[bytes]) -> bytes:
    """Return lines of UTF-8, without their line ends, as one text frame each."""
    return b"".join([_head(len(line)) + line for line in lines])


@lru_cache(maxsize=4096)
def _head(size: int) -> bytes:
    """The header of a frame with a payload of so many bytes."""
    frame = Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)
    return frame[: len(frame) - size]


def remark(words: str) -> bytes:
    """Return a line of the provider's own as a frame."""
    return of([logs.remark(words).rstrip(b"\n")])


PING = of([b"ping"])


class FrameSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which also sends encoded frames and has no endless wait.

    A message `{"type": "websocket.send", "frames": bytes}` is written as it is. A client that does
    not answer pings, or does not complete the closing handshake, is disconnected.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the kernel's buffer for a slow client."""
        super().connection_made(transport)
        connection: Any = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def keepalive_timeout(self) -> None:
        """Disconnect a client that is gone without closing."""
        super().keepalive_timeout()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Write encoded frames; leave every other message to uvicorn."""
        frames = message.get("frames")
        if frames is None:
            await super().send(message)
        else:
            await self.writable.wait()
            if self.disconnected:
                raise ClientDisconnected
            if not self.transport.is_closing():
                self.transport.write(frames)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # By a refusal; else uvicorn logs it as incomplete.
        if message["type"] == "websocket.close":
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
