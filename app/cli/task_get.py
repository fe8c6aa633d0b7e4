"""The `task get` command: a task with its events, pods and callbacks."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import click

from app.cli import refuse, with_context
from app.cli.formatting import (
    ago,
    colour,
    moment,
    period,
    text,
)
from app.cli.tasks import newest
from app.context import Context
from app.errors import Temporary
from app.store.records import Callback, MarketStatus, PodSummaries, Task, TimelineEntry
from app.tasks import task_json

_Lines = Iterator[tuple[str, ...]]


@click.command()
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def get(context: Context, uuid: str, *, as_json: bool) -> None:
    """Show a task, its events, pods and callbacks. UUID is the job's, the task's or the Space's."""
    store = context.store
    try:
        task = newest(store.find_any(uuid.lower()), uuid)
        market, pods = store.market_status(task.id), store.pods(task.id) or PodSummaries()
        timeline, callbacks = store.timeline(task.id), store.callbacks(task.id)
        watched = store.is_watched()
    except Temporary as error:
        refuse(error.message, code=1)
    current_pods = PodSummaries() if task.ended else pods
    if as_json:
        click.echo(json.dumps(_document(task, market, timeline, current_pods, callbacks), indent=2))
        return
    _print(task, market)
    _print_table("events", _events(timeline))
    _print_table("pods" if watched else "pods, when a watcher last ran", _pods(current_pods))
    _print_table("callbacks", _callbacks(callbacks))


def _document(
    task: Task,
    market: MarketStatus | None,
    timeline: list[TimelineEntry],
    pods: PodSummaries,
    callbacks: list[Callback],
) -> dict[str, Any]:
    return {
        **task_json.summary(task),
        "lagrange": task_json.market(market),
        "events": [task_json.happening(entry) for entry in timeline],
        "pods": [task_json.pod(pod) for pod in pods.pods],
        "callbacks": [task_json.callback(callback) for callback in callbacks],
    }


def _print(task: Task, market: MarketStatus | None) -> None:
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
        "lagrange": _market_status(market),
    }
    for name, value in lines.items():
        click.echo(f"{name:<10} {value}")


def _market_status(market: MarketStatus | None) -> str:
    if market is None:
        return "-"
    return (
        f"{text(market.space_status)}, running {period(market.running_time)},"
        f" remaining {period(market.remaining_time)}, rewards {text(market.payment_amount)}"
        f" ({ago(market.at)})"
    )


def _events(timeline: list[TimelineEntry]) -> _Lines:
    for entry in timeline:
        yield moment(entry.at), text(entry.what), text(entry.detail)


def _pods(pods: PodSummaries) -> _Lines:
    for pod in pods.pods:
        ready = "ready" if pod.ready else "not ready"
        restarts = f"{pod.restarts} restarts"
        yield text(pod.name), text(pod.phase), ready, restarts, text(pod.node), text(pod.reason)


def _callbacks(callbacks: list[Callback]) -> _Lines:
    for callback in callbacks:
        attempts = f"{callback.attempts} attempt{'' if callback.attempts == 1 else 's'}"
        remarks = "; ".join(filter(None, (callback.reason, callback.last_error)))
        yield (
            str(callback.sequence),
            text(callback.status),
            moment(callback.timestamp),
            text(callback.state),
            attempts,
            moment(callback.delivered_at),
            text(remarks),
        )


def _print_table(title: str, lines: _Lines) -> None:
    """Print a titled table; all columns but the last are padded to their widest cell."""
    rows = list(lines)
    click.secho(f"\n{title}", bold=True)
    widths = [max(map(len, cells)) for cells in zip_longest(*rows, fillvalue="")]
    for row in rows or [("none",)]:
        padded = map(str.ljust, row, [*widths[:-1], 0])
        click.echo(f"  {'  '.join(padded)}")
