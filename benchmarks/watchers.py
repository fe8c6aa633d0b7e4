"""Watchers of one log, as cheap as they can be; prints one JSON object for all of them.

Usage: python benchmarks/watchers.py PORT TARGET WATCHERS SECONDS
"""

import asyncio
import base64
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

_MARK = b" [web-abcde] "
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]{15})\d*Z \[web-abcde\] ")
_SKIPPED = re.compile(rb"\[provider\] (\d+) lines were skipped")
_PING = re.compile(rb"\x89\x04(.{4})", re.DOTALL)
_PONG = b"\x8a\x84" + bytes(4)  # Whose mask changes nothing.
_WARM_UP_SECONDS = 2
_TAIL_BYTES = 400


class Watcher(asyncio.Protocol):
    """Counts the lines that come, and those that are said to have been skipped."""

    def __init__(self, target: str) -> None:
        self.lines = 0
        self.skipped = 0
        self._target = target
        self._transport: Any = None
        self._tail = b""

    def connection_made(self, transport: Any) -> None:
        """Ask for the log."""
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport = transport
        transport.write(
            f"GET {self._target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count, and answer pings."""
        block = self._tail[1 - len(_MARK) :] + data
        self.lines += block.count(_MARK)
        self.skipped += sum(map(int, _SKIPPED.findall(block))) if b"skipped" in data else 0
        for ping in _PING.findall(block):
            self._transport.write(_PONG + ping)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def behind(self) -> float:
        """How many seconds ago the last line that came was written."""
        found = _STAMP.findall(self._tail)
        if not found:
            return float("inf")
        written = datetime.fromisoformat(found[-1].decode()).replace(tzinfo=UTC)
        return time.time() - written.timestamp()


async def main(port: int, target: str, count: int, seconds: float) -> None:
    """Watch for so long and print what was seen."""
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Watcher(target), "127.0.0.1", port)
        for _ in range(count)
    ]
    watchers = [watcher for _, watcher in made]
    await asyncio.sleep(_WARM_UP_SECONDS)
    before, began = [one.lines for one in watchers], time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    rates = sorted((one.lines - was) / took for one, was in zip(watchers, before, strict=True))
    found = {
        "slowest": rates[0],
        "median": rates[len(rates) // 2],
        "skipped": sum(one.skipped for one in watchers),
        "behind": max(one.behind() for one in watchers),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
