"""Every path that the process `web` serves, with its method and its endpoint."""

from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.context import Context
from app.intake import dispatch
from app.intake.accept import Intake
from app.web import signed_urls
from app.web.authentication import Authentication
from app.web.legacy_jobs import LegacyJobEndpoints
from app.web.logs import LogEndpoint
from app.web.proofs import ProofEndpoint
from app.web.provider_info import ProviderInfoEndpoints
from app.web.status import StatusEndpoints
from app.web.terms_endpoints import TermsEndpoints
from app.web.webhooks import WebhookEndpoint

BASE = "/api/v1/computing"
LAGRANGE = f"{BASE}/lagrange"


def routes(context: Context) -> list[BaseRoute]:
    """Return the routes of a provider.

    Raises:
        ConfigError: A key in the configuration is malformed.
    """
    config, identity, store = context.config, context.identity, context.async_store
    authentication = Authentication(config, identity)
    task_urls = signed_urls.TaskUrlSigner(config, identity)
    log_urls = signed_urls.LogUrlSigner(config, identity)
    intake = Intake(store, config, dispatch.handlers(), folder=context.folder)
    webhooks = WebhookEndpoint(authentication, intake, store, task_urls)
    jobs = LegacyJobEndpoints(authentication, intake, store, log_urls)
    status = StatusEndpoints(store, task_urls)
    logs = LogEndpoint(store, config, log_urls)
    info = ProviderInfoEndpoints(context, authentication)
    proofs = ProofEndpoint(authentication, store)
    terms = TermsEndpoints(context)
    return [
        Route("/webhooks", webhooks.receive, methods=["POST"]),
        Route(f"{LAGRANGE}/jobs", jobs.assign, methods=["POST"]),
        Route(f"{LAGRANGE}/jobs/redeploy", jobs.redeploy, methods=["POST"]),
        Route(f"{LAGRANGE}/jobs/renew", jobs.renew, methods=["POST"]),
        Route(f"{LAGRANGE}/jobs", jobs.delete, methods=["DELETE"]),
        Route("/healthz", status.health, methods=["GET"]),
        Route("/readyz", status.readiness, methods=["GET"]),
        Route("/metrics", status.metrics, methods=["GET"]),
        Route("/tasks/{task_id}", status.task, methods=["GET"]),
        WebSocketRoute(signed_urls.LOG_PATH, logs.serve),
        Route(f"{BASE}/host/info", info.host, methods=["GET"]),
        Route(f"{BASE}/cp", info.resources, methods=["GET"]),
        Route(f"{LAGRANGE}/cp", info.resources, methods=["GET"]),
        Route(f"{LAGRANGE}/cp/public_key", info.public_key, methods=["GET"]),
        Route(f"{LAGRANGE}/job/{{job_uuid}}", info.job, methods=["GET"]),
        Route(f"{LAGRANGE}/cp/proof", proofs.prove, methods=["POST"]),
        Route(f"{LAGRANGE}/cp/whitelist", terms.white_list, methods=["GET"]),
        Route(f"{LAGRANGE}/cp/blacklist", terms.black_list, methods=["GET"]),
        Route(f"{LAGRANGE}/cp/price", terms.prices, methods=["GET"]),
    ]
