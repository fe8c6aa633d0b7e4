"""Lines as WebSocket frames, made once for all who see them, and a connection that takes those."""

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
    """Return lines of UTF-8, without their ends, as text frames, one each."""
    return b"".join([_head(len(line)) + line for line in lines])


@lru_cache(maxsize=4096)
def _head(size: int) -> bytes:
    """What a frame of so many bytes begins with."""
    whole = Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)
    return whole[: len(whole) - size]


def remark(words: str) -> bytes:
    """Return a line of ours as a frame."""
    return of([logs.remark(words).rstrip(b"\n")])


PING = of([b"ping"])


class FrameSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which also takes frames that are made already, and never waits for ever.

    A message `{"type": "websocket.send", "frames": bytes}` is written as it is. A client that does
    not answer pings, or does not take the end of the conversation, is cut off.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel keeps for a client that is slow."""
        super().connection_made(transport)
        wire: Any = transport.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def keepalive_timeout(self) -> None:
        """Cut a client off that is gone without a word."""
        super().keepalive_timeout()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Write frames, or do what uvicorn does."""
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
            self.handshake_complete = True  # By a refusal; else it would be called incomplete.
        if message["type"] == "websocket.close":
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
