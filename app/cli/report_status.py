"""What Lagrange was told of this provider last, and whether it took it, as `info` shows it."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import click

from app.cli.formatting import ago, text
from app.config import Config
from app.errors import ConfigError, Temporary
from app.store.glance import Glance
from app.store.records import Report

REPORTS = {"registration": "/cp", "heartbeat": "/cp/heartbeat", "summary": "/cp/summary"}
_LATE_SECONDS = 60


def document(config: Config) -> dict[str, Any] | None:
    """Return the reports for `--json`; None, and a line on standard error, when Redis is away.

    `server_url`; `status`: what Lagrange was told last (`Active`, `Inactive`), or null; of each
    kind of report `at` (unix seconds), and `error`: why Lagrange did not take it, or null; null
    for a kind that was never sent.
    """
    try:
        with closing(Glance(config.api.redis_url, config.api.redis_password)) as glance:
            came = glance.reports()
    except (Temporary, ConfigError) as error:
        click.echo(f"the reports to Lagrange are not known: {error}", err=True)
        return None
    registered = came.get(REPORTS["registration"])
    return {
        "server_url": config.lag.server_url,
        "reporting": bool(config.lag.access_token),
        "status": (registered.status or None) if registered else None,
        **{name: _report(came.get(path)) for name, path in REPORTS.items()},
    }


def _report(came: Report | None) -> dict[str, Any] | None:
    return {"at": came.at, "error": came.error or None} if came else None


def lines(document: dict[str, Any] | None) -> Iterator[str]:
    """Yield the same for people."""
    if document is None:
        return
    yield f"{'lagrange':<12}  {text(document['server_url'])}"
    if not document["reporting"]:
        yield f"{'':<12}  nothing is reported: [LAG] AccessToken is empty"
        return
    yield f"{'status':<12}  {text(document['status'])}"
    for name in REPORTS:
        yield f"{name:<12}  {_words(document[name])}"


def _words(report: dict[str, Any] | None) -> str:
    if report is None:
        return "never sent; the clock sends it"
    said = f"not taken: {text(report['error'])}" if report["error"] else "taken"
    late = "; no clock runs?" if time.time() - report["at"] > _LATE_SECONDS else ""
    return f"{said}, {ago(report['at'])}{late}"
