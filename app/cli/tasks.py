"""`task`: what this provider runs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from app.cli import Commands, refuse, with_context

if TYPE_CHECKING:
    from app.context import Context
    from app.store.records import Task

_ATTEMPTS = 10


@click.group(
    cls=Commands,
    elsewhere={
        "list": "app.cli.task_list:list_",
        "get": "app.cli.task_get:get",
        "logs": "app.cli.logs:logs",
    },
)
def task() -> None:
    """List, show and end tasks."""


def found(context: "Context", uuid: str) -> "Task":
    """Return the newest task of this name, one that goes on before one that is over."""
    tasks = context.store.find(uuid.lower())
    if not tasks:
        unknown(uuid)
    return next((one for one in tasks if not one.ended), tasks[0])


@contextmanager
def _told(uuid: str) -> Iterator[None]:
    """Exit with a line where the memory is away, or holds what cannot be read."""
    import msgspec  # noqa: PLC0415 - `task get` starts without all this.

    from app.cli.formatting import text  # noqa: PLC0415
    from app.errors import Temporary, UnreadableRecord  # noqa: PLC0415

    try:
        yield
    except Temporary as error:
        refuse(error.message, code=1)
    except (UnreadableRecord, msgspec.DecodeError) as error:
        refuse(f"what is known of {text(uuid)} is of another version: {text(str(error))}", code=1)


def unknown(uuid: str) -> NoReturn:
    """Exit: there is no such task."""
    from app.cli.formatting import text  # noqa: PLC0415

    refuse(f"no task is known by {text(uuid)}; `task list -v` shows all", code=1)


@task.command()
@click.argument("uuid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_context
def delete(context: "Context", uuid: str, *, yes: bool) -> None:
    """End one task, as a signed termination would. A worker removes it from the cluster.

    UUID is the job's, the task's or the Space's.
    """
    with _told(uuid):
        _end(context, uuid, yes=yes)


def _end(context: "Context", uuid: str, *, yes: bool) -> None:
    from app.store import Conflict  # noqa: PLC0415
    from app.store.records import Reason, State  # noqa: PLC0415
    from app.tasks import transitions  # noqa: PLC0415

    reason = Reason("deleted", "the operator ended the job")
    for _ in range(_ATTEMPTS):
        one = found(context, uuid)
        if one.ended or one.stopping:
            click.echo(f"task {one.id} is {one.state} already")
            return
        if not yes:
            _confirm(one)
            yes = True
        try:
            change = transitions.stopping(one, State.TERMINATED, reason, now=time.time())
            context.store.commit(change)
        except Conflict:
            continue
        click.echo(f"task {one.id} is being ended; `task get {one.id}` shows how that goes")
        return
    refuse("the task changes too fast; try again", code=1)


def _confirm(one: "Task") -> None:
    from app.cli.formatting import text  # noqa: PLC0415

    if not sys.stdin.isatty():
        refuse(f"nobody can be asked whether to end task {one.id}: say --yes")
    name = text(one.space_name or "unnamed")
    click.confirm(f"End task {one.id} ({name}, {one.state})?", abort=True)


@task.command()
@click.argument("uuid")
@with_context
def redeliver(context: "Context", uuid: str) -> None:
    """Send a task's parked callbacks again.

    UUID is the job's, the task's or the Space's.
    """
    with _told(uuid):
        count = context.store.redeliver(found(context, uuid).id, time.time())
    click.echo(f"{count} callbacks are owed again")
