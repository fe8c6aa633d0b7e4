"""The commands that run the provider's processes: each by itself, or `run` for all of them."""

import os
from collections.abc import Callable
from pathlib import Path

import click

from app.cli import refuse, with_context
from app.context import Context, check_complete
from app.errors import ConfigError
from app.processes import log_setup
from app.processes.heartbeat_file import HeartbeatFile

_alive = click.option(
    "--alive",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Touch FILE as long as the process is alive, for a liveness probe.",
)


def _serve(name: str, context: Context, serve: Callable[[], None]) -> None:
    """Set up the log, refuse an incomplete configuration, and serve."""
    from app import config  # noqa: PLC0415 - with the process.

    log_setup.start(name, secrets=config.secrets(context.config))
    try:
        check_complete(context.config)
        _ = context.identity
        serve()
    except ConfigError as error:
        refuse(*error.problems)


@click.command()
@with_context
def web(context: Context) -> None:
    """Receive events and serve HTTP."""
    from app.processes import web as web_process  # noqa: PLC0415 - with the process.

    _serve("web", context, lambda: web_process.serve(context))


@click.command()
@_alive
@with_context
def worker(context: Context, alive: Path | None) -> None:
    """Fetch, build, deploy and remove tasks from the queue."""
    from app.processes import worker as process  # noqa: PLC0415 - with the process.

    _serve("worker", context, lambda: process.serve(context, HeartbeatFile(alive)))


@click.command()
@_alive
@with_context
def watcher(context: Context, alive: Path | None) -> None:
    """Follow the cluster and report to Lagrange."""
    from app.processes import watcher as process  # noqa: PLC0415 - with the process.

    _serve("watcher", context, lambda: process.serve(context, HeartbeatFile(alive)))


@click.command()
@_alive
@with_context
def clock(context: Context, alive: Path | None) -> None:
    """End tasks that are due and wake up those that stalled."""
    from app.processes import clock as process  # noqa: PLC0415 - with the process.

    _serve("clock", context, lambda: process.serve(context, HeartbeatFile(alive)))


@click.command()
@with_context
def run(context: Context) -> None:
    """Run all processes. Those that die are restarted; Ctrl-C stops all in order."""
    from app.processes import supervisor  # noqa: PLC0415 - with the process.

    def serve() -> None:
        environment = {**os.environ, "CP_PATH": str(context.folder)}
        supervisor.Supervisor(children(context), environment).run()

    _serve("run", context, serve)


def children(context: Context) -> list["supervisor.Child"]:  # type: ignore[name-defined]  # noqa: F821
    """Return the processes of this configuration, in the order in which they are stopped."""
    from app.processes.supervisor import Child, own  # noqa: PLC0415 - with the process.

    workers = [
        Child(f"worker-{number}", own("worker")) for number in range(context.config.task.workers)
    ]
    return [
        Child("web", own("web")),
        *workers,
        Child("watcher", own("watcher")),
        Child("clock", own("clock")),
    ]
