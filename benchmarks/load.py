"""A load of distinct signed assignments over connections that stay open; prints one JSON object.

Usage: python benchmarks/load.py PORT SECRET MESSAGES CONNECTIONS
"""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvloop

_ACCEPTED = b"HTTP/1.1 202"
_SECONDS = 120


def requests(count: int, secret: bytes) -> list[bytes]:
    """Return signed requests that are ready to be written."""
    return [_request(secret) for _ in range(count)]


def _request(secret: bytes) -> bytes:
    data = {
        "uuid": str(uuid.uuid4()),
        "name": "Job-benchmark",
        "status": "Submitted",
        "duration": 900,
        "job_source_uri": f"https://api.lagrangedao.org/spaces/{uuid.uuid4()}",
        "storage_source": "lagrange",
        "task_uuid": str(uuid.uuid4()),
    }
    payload = {"type": "job.assigned", "timestamp": "2026-11-22T00:00:00Z", "data": data}
    body = json.dumps(payload).encode()
    message_id, stamp = f"msg_{uuid.uuid4().hex}", int(time.time())
    content = b"%s.%d.%s" % (message_id.encode(), stamp, body)
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    head = (
        "POST /webhooks HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"webhook-id: {message_id}\r\nwebhook-timestamp: {stamp}\r\n"
        f"webhook-signature: v1,{signature}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Sender(asyncio.Protocol):
    """One connection: writes a request when the one before it was answered."""

    messages: Iterator[bytes]
    seconds: list[float]
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    _received: bytes = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP's
        """Begin."""
        self._transport = transport
        self._write()

    def _write(self) -> None:
        message = next(self.messages, None)
        if message is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._started = time.perf_counter()
        self._transport.write(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail when it ends too early."""
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"connection lost: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Go on once the answer is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(_ACCEPTED):
            self.done.set_exception(RuntimeError(f"not accepted: {self._received!r}"))
            return
        self.seconds.append(time.perf_counter() - self._started)
        self._received = b""
        self._write()


async def sent(port: int, messages: list[bytes], connections: int) -> dict[str, float]:
    """Send all messages; return how many a second, and latencies in milliseconds."""
    waiting, seconds = iter(messages), list[float]()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Sender(waiting, seconds), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(_SECONDS):
        await asyncio.gather(*(sender.done for _, sender in opened))
    elapsed = time.perf_counter() - started
    seconds.sort()
    return {
        "per_second": len(seconds) / elapsed,
        "p50": seconds[len(seconds) // 2] * 1000,
        "p99": seconds[len(seconds) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    port, key, count, connections = sys.argv[1:]
    prepared = requests(int(count), base64.b64decode(key.removeprefix("whsec_")))
    print(json.dumps(uvloop.run(sent(int(port), prepared, int(connections)))))
