"""Status of the reports to Lagrange for `info`: the last of each kind, accepted or rejected."""

import time
from collections.abc import Iterator
from typing import Any

import click

from app.cli.formatting import ago, text
from app.context import Context
from app.errors import ConfigError, Temporary
from app.store.records import Report

REPORTS = {"registration": "/cp", "heartbeat": "/cp/heartbeat", "summary": "/cp/summary"}
_LATE_SECONDS = 60


def document(context: Context) -> dict[str, Any] | None:
    """Return the reports for `--json`; None, with a line on standard error, if unknown.

    `server_url`; `status`: as last reported (`Active`, `Inactive`), or null; for each kind of
    report `at` (unix seconds) and `error`: the reason why Lagrange rejected it, or null; null for a
    kind that was never sent.
    """
    try:
        reports = context.store.reports()
    except (Temporary, ConfigError) as error:
        click.echo(f"the reports to Lagrange are not known: {error}", err=True)
        return None
    config = context.config
    registration = reports.get(REPORTS["registration"])
    return {
        "server_url": config.lag.server_url,
        "reporting": bool(config.lag.access_token),
        "status": (registration.status or None) if registration else None,
        **{name: _report(reports.get(path)) for name, path in REPORTS.items()},
    }


def _report(report: Report | None) -> dict[str, Any] | None:
    return {"at": report.at, "error": report.error or None} if report else None


def lines(document: dict[str, Any] | None) -> Iterator[str]:
    """Yield the same as lines of text."""
    if document is None:
        return
    yield f"{'lagrange':<12}  {text(document['server_url'])}"
    if not document["reporting"]:
        yield f"{'':<12}  nothing is reported: [LAG] AccessToken is empty"
        return
    yield f"{'status':<12}  {text(document['status'])}"
    for name in REPORTS:
        yield f"{name:<12}  {_describe(document[name])}"


def _describe(report: dict[str, Any] | None) -> str:
    if report is None:
        return "never sent; the clock sends it"
    outcome = f"rejected: {text(report['error'])}" if report["error"] else "accepted"
    late = "; is no clock running?" if time.time() - report["at"] > _LATE_SECONDS else ""
    return f"{outcome}, {ago(report['at'])}{late}"
