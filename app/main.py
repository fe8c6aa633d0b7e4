"""The process `web`: takes events in and answers questions."""

from http import HTTPStatus

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app import answers, bounded, events, links
from app.authentication import Authentication
from app.context import Context, refuse_incomplete
from app.errors import Rejected, Temporary
from app.intake import Intake, unavailable
from app.lagrange_api import LagrangeApi
from app.pages import Pages
from app.receiver import Receiver

log = structlog.get_logger()

_KEEP_ALIVE_SECONDS = 30
_SHUTDOWN_SECONDS = 10
_MAX_CONNECTIONS = 2000


def application(context: Context) -> Starlette:
    """Return the ASGI application.

    Raises:
        ConfigError: The configuration is incomplete, or a key is malformed.
    """
    refuse_incomplete(context.config)
    store = context.async_store
    authentication = Authentication(context.config, context.identity)
    signer = links.Signer(context.config, context.identity)
    intake = Intake(store, context.config, events.handlers())
    parts = (
        Receiver(authentication, intake, signer),
        LagrangeApi(authentication, intake, store, context.config),
        Pages(store, signer),
    )
    return Starlette(
        routes=[route for part in parts for route in part.routes],
        exception_handlers={
            Rejected: answers.on_rejected,
            Temporary: _on_temporary,
            HTTPException: _on_http_exception,
            Exception: _on_exception,
        },
    )


async def _on_temporary(_: Request, error: Exception) -> Response:
    log.warning("memory away", error=str(error))
    return answers.problem(unavailable())


async def _on_http_exception(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, other method) as problem documents."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone.
    status = HTTPStatus(error.status_code)
    rejected = Rejected(status, status.name.lower(), "see docs/protocol.md for what is served")
    answer = answers.problem(rejected)
    answer.headers.update(error.headers or {})
    return answer


async def _on_exception(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=error)
    rejected = Rejected(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the provider failed; its log says how"
    )
    return answers.problem(rejected)


def serve(context: Context, *, host: str = "0.0.0.0", port: int | None = None) -> None:  # noqa: S104 - it is a server.
    """Serve until SIGTERM; with TLS when the certificate is configured."""
    config = context.config
    uvicorn.run(
        application(context),
        host=host,
        port=config.api.port if port is None else port,
        loop="uvloop",
        http=bounded.BoundedProtocol,
        ssl_certfile=config.log.crt_file or None,
        ssl_keyfile=config.log.key_file or None,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        limit_concurrency=_MAX_CONNECTIONS,
        server_header=False,
        access_log=False,
        log_config=None,
    )
