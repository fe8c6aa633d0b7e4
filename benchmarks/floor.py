"""The least that an intake can be: a bare Starlette endpoint, an HMAC, one Redis round trip.

Usage: python benchmarks/floor.py PORT REDIS_URL SECRET
"""

import base64
import hmac
import sys

import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def application(redis_url: str, secret: bytes) -> Starlette:
    """Return the application."""
    connection = redis.asyncio.Redis.from_url(redis_url)

    async def receive(request: Request) -> Response:
        body = await request.body()
        message_id, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        content = b"%s.%s.%s" % (message_id.encode(), stamp.encode(), body)
        signature = base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
        if not hmac.compare_digest(f"v1,{signature}", request.headers["webhook-signature"]):
            return JSONResponse({"detail": "unsigned"}, 401)
        await connection.set(f"floor:{message_id}", body)
        return JSONResponse({"task_id": message_id}, 202)

    return Starlette(routes=[Route("/webhooks", receive, methods=["POST"])])


if __name__ == "__main__":
    port, url, key = sys.argv[1:]
    served = application(url, base64.b64decode(key.removeprefix("whsec_")))
    uvicorn.run(
        served, port=int(port), loop="uvloop", http="httptools", access_log=False, log_config=None
    )
