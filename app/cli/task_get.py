"""`task get`: everything about one task. It starts at once: see `benchmarks/startup.py`."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import click

from app.cli import refuse, with_glance
from app.cli.formatting import (
    ago,
    colour,
    moment,
    period,
    text,
)
from app.cli.tasks import unknown
from app.errors import Temporary
from app.store.glance import Glance
from app.store.records import (
    Callback,
    MarketStatus,
    PodSummaries,
    Task,
    TimelineEntry,
)

_Lines = Iterator[tuple[str, ...]]


@click.command()
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_glance
def get(glance: Glance, uuid: str, *, as_json: bool) -> None:
    """Show a task, its events, pods and callbacks. UUID is the job's, the task's or the Space's."""
    try:
        tasks = glance.find(uuid.lower())
        if not tasks:
            unknown(uuid)
        task = next((one for one in tasks if not one.ended), tasks[0])
        said, pods = glance.said(task.id), glance.pods(task.id) or PodSummaries()
        timeline, callbacks = glance.timeline(task.id), glance.callbacks(task.id)
        watched = glance.is_watched()
    except Temporary as error:
        refuse(error.message, code=1)
    shown = PodSummaries() if task.ended else pods
    if as_json:
        import json  # noqa: PLC0415 - only here.

        click.echo(json.dumps(_document(task, said, timeline, shown, callbacks), indent=2))
        return
    _print(task, said)
    _print_table("events", _events(timeline))
    _print_table("pods" if watched else "pods, when a watcher ran last", _pods(shown))
    _print_table("callbacks", _callbacks(callbacks))


def _document(
    task: Task,
    said: MarketStatus | None,
    timeline: list[TimelineEntry],
    pods: PodSummaries,
    callbacks: list[Callback],
) -> dict[str, Any]:
    from app.tasks import task_json  # noqa: PLC0415 - only with --json.

    return {
        **task_json.summary(task),
        "lagrange": task_json.market(said),
        "events": [task_json.happening(one) for one in timeline],
        "pods": [task_json.pod(one) for one in pods.pods],
        "callbacks": [task_json.callback(one) for one in callbacks],
    }


def _print(task: Task, said: MarketStatus | None) -> None:
    state = click.style(text(task.state), fg=colour(task.state))
    lines = {
        "job": text(task.id),
        "task": text(task.task_uuid),
        "space": f"{text(task.space_uuid)}  {text(task.space_name)}",
        "wallet": text(task.wallet),
        "hardware": text(task.hardware),
        "state": state,
        "reason": text(str(task.reason)) if task.reason else "-",
        "url": text(task.url),
        "result": text(task.result_url),
        "duration": period(str(task.duration)),
        "revision": str(task.revision),
        "created": moment(task.created_at),
        "started": moment(task.started_at),
        "expires": moment(task.expires_at),
        "ended": moment(task.ended_at),
        "lagrange": _said(said),
    }
    for name, value in lines.items():
        click.echo(f"{name:<10} {value}")


def _said(said: MarketStatus | None) -> str:
    if said is None:
        return "-"
    return (
        f"{text(said.space_status)}, running {period(said.running_time)},"
        f" remaining {period(said.remaining_time)}, rewards {text(said.payment_amount)}"
        f" ({ago(said.at)})"
    )


def _events(timeline: list[TimelineEntry]) -> _Lines:
    for one in timeline:
        yield moment(one.at), text(one.what), text(one.detail)


def _pods(pods: PodSummaries) -> _Lines:
    for one in pods.pods:
        ready = "ready" if one.ready else "not ready"
        restarts = f"{one.restarts} restarts"
        yield text(one.name), text(one.phase), ready, restarts, text(one.node), text(one.reason)


def _callbacks(callbacks: list[Callback]) -> _Lines:
    for one in callbacks:
        attempts = f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"
        words = "; ".join(filter(None, (one.reason, one.last_error)))
        yield (
            str(one.sequence),
            text(one.status),
            moment(one.timestamp),
            text(one.state),
            attempts,
            moment(one.delivered_at),
            text(words),
        )


def _print_table(title: str, lines: _Lines) -> None:
    """All columns but the last are as wide as they have to be."""
    rows = list(lines)
    click.secho(f"\n{title}", bold=True)
    widths = [max(map(len, cells)) for cells in zip_longest(*rows, fillvalue="")]
    for row in rows or [("none",)]:
        padded = map(str.ljust, row, [*widths[:-1], 0])
        click.echo(f"  {'  '.join(padded)}")
