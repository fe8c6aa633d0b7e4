"""The `task` commands: lookup by uuid, `task delete` and `task redeliver`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from app.cli import Commands, refuse, with_context
from app.cli.formatting import text
from app.context import Context
from app.errors import Temporary, UnreadableRecord
from app.store import Conflict
from app.store.records import Reason, State, Task
from app.tasks import transitions

_ATTEMPTS = 10


@click.group(
    cls=Commands,
    lazy={
        "list": "app.cli.task_list:list_",
        "get": "app.cli.task_get:get",
        "logs": "app.cli.logs:logs",
    },
)
def task() -> None:
    """List, show and end tasks."""


def find_task(context: Context, uuid: str) -> Task:
    """Return the newest task with this uuid; one that is not over takes precedence."""
    return newest(context.store.find(uuid.lower()), uuid)


def newest(tasks: list[Task], uuid: str) -> Task:
    """Return the first task that is not over, else the first; exit with a line if there is none."""
    if not tasks:
        refuse(f"there is no task {text(uuid)}; `task list -v` shows all", code=1)
    return next((task for task in tasks if not task.ended), tasks[0])


@contextmanager
def _exit_on_failure(uuid: str) -> Iterator[None]:
    """Print a line and exit if Redis does not answer, or the record cannot be read."""
    try:
        yield
    except Temporary as error:
        refuse(error.message, code=1)
    except (UnreadableRecord, msgspec.DecodeError) as error:
        refuse(f"the record of {text(uuid)} is of another version: {text(str(error))}", code=1)


@task.command()
@click.argument("uuid")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_context
def delete(context: Context, uuid: str, *, yes: bool) -> None:
    """End one task, as a signed termination would. A worker removes it from the cluster.

    UUID is the job's, the task's or the Space's.
    """
    with _exit_on_failure(uuid):
        _end(context, uuid, yes=yes)


def _end(context: Context, uuid: str, *, yes: bool) -> None:
    reason = Reason("deleted", "the operator ended the job")
    for _ in range(_ATTEMPTS):
        current = find_task(context, uuid)
        if current.ended or current.stopping:
            click.echo(f"task {current.id} is already {current.state}")
            return
        if not yes:
            _confirm(current)
            yes = True
        try:
            change = transitions.stopping(current, State.TERMINATED, reason, now=time.time())
            context.store.commit(change)
        except Conflict:
            continue
        click.echo(f"task {current.id} is ending; `task get {current.id}` shows its progress")
        return
    refuse("the task keeps changing; try again", code=1)


def _confirm(current: Task) -> None:
    if not sys.stdin.isatty():
        refuse(f"there is no terminal to confirm the end of task {current.id} on; use --yes")
    name = text(current.space_name or "unnamed")
    click.confirm(f"End task {current.id} ({name}, {current.state})?", abort=True)


@task.command()
@click.argument("uuid")
@with_context
def redeliver(context: Context, uuid: str) -> None:
    """Send a task's parked callbacks again.

    UUID is the job's, the task's or the Space's.
    """
    with _exit_on_failure(uuid):
        count = context.store.redeliver(find_task(context, uuid).id, time.time())
    click.echo(f"{count} callbacks will be sent again")
