"""An API server with one pod, which writes so many lines a second, or as many as are taken.

Usage: python benchmarks/firehose.py PORT LINES_PER_SECOND (0: as many as are taken)
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

from k8s.naming import labels

_TEXT = b"x" * 80
_AT_ONCE = 100


def pod(task_id: str) -> bytes:
    """Return a list of one pod that runs."""
    marks = {labels.COMPONENT: "web", labels.TASK: task_id}
    metadata = {"name": "web-1-abcde", "namespace": "ns", "uid": "u-1", "labels": marks}
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": "web", "state": {"running": {}}}],
    }
    item = {"metadata": metadata, "spec": {"nodeName": "node-1"}, "status": status}
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [item]}).encode()


def lines() -> bytes:
    """Return lines that were written just now."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}".encode()
    return b"".join([b"%b%03dZ %b\n" % (now, number, _TEXT) for number in range(_AT_ONCE)])


async def write(writer: asyncio.StreamWriter, per_second: int) -> None:
    """Write a log until nobody takes it."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    next_at = time.monotonic()
    while True:
        part = lines()
        writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
        if per_second:
            next_at += _AT_ONCE / per_second
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))


async def main(port: int, per_second: int) -> None:
    """Serve until the process is ended."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split()[1].decode()
                if "/log" in target:
                    await write(writer, per_second)
                body = pod(target.partition("task%3D")[2].partition("&")[0])
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
