"""`task`: what this provider runs."""

import json
import time
from typing import Any

import click

from app import views
from app.cli import refuse, with_context
from app.cli.logs import logs
from app.context import Context
from app.errors import Temporary
from app.models import Reason, State, Task
from app.store import Conflict

_COLOURS = {
    State.RUNNING: "green",
    State.FAILED: "red",
    State.EXPIRED: "bright_black",
    State.TERMINATED: "bright_black",
    State.TERMINATING: "yellow",
}
_SHORT = 8
_ATTEMPTS = 10


@click.group()
def task() -> None:
    """List, show and end tasks."""


task.add_command(logs)


@task.command("list")
@click.option("-v", "--verbose", is_flag=True, help="Show whole ids.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def list_(context: Context, *, verbose: bool, as_json: bool) -> None:
    """Show every task, the newest last."""
    try:
        tasks = list(context.store.tasks())
    except Temporary as error:
        refuse(error.message, code=1)
    if as_json:
        click.echo(json.dumps([views.summary(one) for one in tasks], indent=2))
        return
    _print_table(tasks, verbose=verbose)


def _print_table(tasks: list[Task], *, verbose: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, needed for tables only.
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ("TASK UUID", "TASK TYPE", "WALLET ADDRESS", "SPACE UUID", "SPACE NAME", "STATUS")
    for column in (*columns, "REMAINING TIME", "URL"):
        table.add_column(column, overflow="fold", no_wrap=not verbose)
    for one in tasks:
        colour = _COLOURS.get(one.state, "cyan")
        table.add_row(
            _id(one.task_uuid or one.id, verbose=verbose),
            "CPU" if "CPU" in one.hardware else "GPU" if one.hardware else "-",
            _id(one.wallet, verbose=verbose),
            _id(one.space_uuid, verbose=verbose),
            one.space_name or "-",
            f"[{colour}]{one.state}[/]",
            _remaining(one),
            one.url if not one.ended else "-",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=250, highlight=False)
    console.print(table if tasks else "no tasks yet; Lagrange assigns them by webhook")


def _id(text: str, *, verbose: bool) -> str:
    if verbose or len(text) <= _SHORT + 3:
        return text or "-"
    return f"{text[:_SHORT]}…"


def _remaining(one: Task) -> str:
    if one.expires_at is None or one.ended:
        return "-"
    left = max(0, int(one.expires_at - time.time()))
    hours, rest = divmod(left, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


@task.command()
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def get(context: Context, uuid: str, *, as_json: bool) -> None:
    """Show a task, its events, pods and callbacks. UUID is the job's, the task's or the Space's."""
    try:
        one = found(context, uuid)
        shown = _details(context, one)
    except Temporary as error:
        refuse(error.message, code=1)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        if not isinstance(value, list):
            click.echo(f"{name.replace('_', ' '):<14} {value if value is not None else '-'}")
    for name in ("events", "pods", "callbacks"):
        click.secho(f"\n{name}", bold=True)
        for line in shown[name] or ():
            click.echo("  " + "  ".join(str(word) for word in line.values() if word is not None))


def found(context: Context, uuid: str) -> Task:
    """Return the newest task of this name, one that goes on before one that is over."""
    tasks = context.store.find(uuid.lower())
    if not tasks:
        refuse(f"no task is known by {uuid}; `computing-provider task list -v` shows all", code=1)
    return next((one for one in tasks if not one.ended), tasks[0])


def _details(context: Context, one: Task) -> dict[str, Any]:
    return {
        **views.summary(one),
        "events": [views.happening(line) for line in context.store.timeline(one.id)],
        "pods": _pods(context, one),
        "callbacks": [views.callback(each) for each in context.store.callbacks(one.id)],
    }


def _pods(context: Context, one: Task) -> list[dict[str, Any]]:
    from k8s import labels, names  # noqa: PLC0415 - slow to import.
    from k8s.errors import ClusterError  # noqa: PLC0415

    if not one.wallet or one.ended:
        return []
    path = f"/api/v1/namespaces/{names.namespace(one.wallet)}/pods"
    try:
        pods = context.cluster.list(path, selector=labels.of_task(one.id))
    except ClusterError as error:
        click.echo(f"pods cannot be read: {error}", err=True)
        return []
    return [_pod(pod) for pod in pods]


def _pod(pod: dict[str, Any]) -> dict[str, Any]:
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or []
    return {
        "name": pod["metadata"]["name"],
        "phase": status.get("phase"),
        "ready": bool(containers) and all(one.get("ready") for one in containers),
        "restarts": sum(one.get("restartCount", 0) for one in containers),
        "node": pod.get("spec", {}).get("nodeName"),
    }


@task.command()
@click.argument("uuid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_context
def delete(context: Context, uuid: str, *, yes: bool) -> None:
    """End one task, as a signed termination would. A worker removes it from the cluster."""
    from app import transitions  # noqa: PLC0415 - only here.

    reason = Reason("deleted", "the operator ended the job")
    try:
        for _ in range(_ATTEMPTS):
            one = found(context, uuid)
            if one.ended or one.stopping:
                click.echo(f"task {one.id} is {one.state} already")
                return
            if not yes:
                click.confirm(f"End task {one.id} ({one.space_name or 'unnamed'})?", abort=True)
                yes = True
            try:
                change = transitions.stopping(one, State.TERMINATED, reason, now=time.time())
                context.store.commit(change)
            except Conflict:
                continue
            click.echo(f"task {one.id} is being ended")
            return
    except Temporary as error:
        refuse(error.message, code=1)
    refuse("the task changes too fast; try again", code=1)


@task.command()
@click.argument("uuid")
@with_context
def redeliver(context: Context, uuid: str) -> None:
    """Send a task's parked callbacks again."""
    try:
        count = context.store.redeliver(found(context, uuid).id, time.time())
    except Temporary as error:
        refuse(error.message, code=1)
    click.echo(f"{count} callbacks are owed again")
