"""The process `web`: accepts events and answers questions."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Lifespan

from app.context import Context, check_complete
from app.errors import ConfigError, Rejected, Temporary
from app.intake.accept import store_unavailable
from app.store import AsyncStore
from app.web import request_limits, responses
from app.web.logs.frames import MAX_MESSAGE_BYTES, FrameSocket
from app.web.routes import routes

log = structlog.get_logger()

MAX_CONNECTIONS = 2000
_KEEP_ALIVE_SECONDS = 30
_SHUTDOWN_SECONDS = 10
_NOT_STARTED = 3


def application(context: Context) -> Starlette:
    """Return the ASGI application.

    Raises:
        ConfigError: The configuration is incomplete, or a key is malformed.
    """
    check_complete(context.config)
    asgi = Starlette(
        routes=routes(context),
        exception_handlers={
            Rejected: _on_rejected,
            Temporary: _on_temporary,
            HTTPException: _on_http_exception,
            Exception: _on_exception,
        },
        lifespan=_closing(context.async_store),
    )
    asgi.router.redirect_slashes = False
    return asgi


def _closing(store: AsyncStore) -> Lifespan[Starlette]:
    """Close the connections to Redis when the server stops."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await store.close()

    return lifespan


async def _on_rejected(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)  # noqa: S101 - registered for this type alone.
    log.info(
        "request refused",
        method=request.method,
        path=request.scope["path"],
        status=error.status.value,
        code=error.code,
        detail=error.detail,
    )
    return responses.problem(error)


async def _on_temporary(_: Request, error: Exception) -> Response:
    log.warning("redis does not answer", error=str(error))
    return responses.problem(store_unavailable())


async def _on_http_exception(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, other method) as problem documents."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone.
    status = HTTPStatus(error.status_code)
    rejected = Rejected(status, status.name.lower(), "see docs/protocol.md for what is served")
    response = responses.problem(rejected)
    response.headers.update(error.headers or {})
    return response


async def _on_exception(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.scope["path"], exc_info=error)
    rejected = Rejected(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the provider failed; its log says how"
    )
    return responses.problem(rejected)


def server(context: Context, *, host: str = "0.0.0.0", port: int | None = None) -> uvicorn.Server:  # noqa: S104 - a server.
    """Return the server, with TLS when a certificate is configured; port 0 takes a free one.

    Raises:
        ConfigError: The configuration is incomplete, or the certificate cannot be used.
    """
    config = context.config
    settings = uvicorn.Config(
        application(context),
        host=host,
        port=config.api.port if port is None else port,
        loop="uvloop",
        http=request_limits.BoundedProtocol,
        ws=FrameSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        proxy_headers=False,
        ssl_certfile=config.log.crt_file or None,
        ssl_keyfile=config.log.key_file or None,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    try:
        settings.load()
    except OSError as error:
        raise ConfigError(f"[LOG] CrtFile or KeyFile cannot be used: {error}") from error
    return uvicorn.Server(settings)


def serve(context: Context) -> None:
    """Serve until SIGTERM; exit with 3 when the server did not start."""
    web = server(context)
    web.run()
    if not web.started:
        sys.exit(_NOT_STARTED)
