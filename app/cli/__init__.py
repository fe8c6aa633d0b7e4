"""The command line, `computing-provider`: one module for each command or group of commands.

Options, questions and printed text live here; what a command does to tasks, configuration and
cluster lives in the packages below. A command is imported only when it is called.
"""

import io
import os
import sys
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from app.cli.formatting import visible

if TYPE_CHECKING:
    from app.context import Context

_R = TypeVar("_R")
_USAGE = 2
_COMMANDS = {
    "init": "app.cli.init:init",
    "run": "app.cli.processes:run",
    "task": "app.cli.tasks:task",
    "info": "app.cli.info:info",
    "config": "app.cli.info:config",
    "keys": "app.cli.keys:keys",
    "render": "app.cli.render:render",
    "inference": "app.cli.inference:inference",
    "demo": "app.cli.demo:demo",
    "web": "app.cli.processes:web",
    "worker": "app.cli.processes:worker",
    "watcher": "app.cli.processes:watcher",
    "clock": "app.cli.processes:clock",
}


class Commands(click.Group):
    """A group of commands that are imported when they are called.

    Args:
        lazy: Import path of each command, `<module>:<name>`, in the order of the help.
        options: Options of `click.Group`.
    """

    def __init__(self, *, lazy: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._lazy = lazy or {}

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help."""
        return [*self._lazy, *super().list_commands(context)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, imported if need be."""
        if name not in self._lazy:
            return super().get_command(context, name)
        module, attribute = self._lazy[name].split(":")
        command: click.Command = getattr(__import__(module, fromlist=[attribute]), attribute)
        return command


@click.command(
    cls=Commands, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--cp-repo",
    metavar="DIR",
    envvar="CP_PATH",
    help="The provider's folder. [default: $CP_PATH, else ~/.swan/computing]",
)
@click.version_option(package_name="computing-provider")
@click.pass_context
def main(context: click.Context, cp_repo: str | None) -> None:
    """Run the jobs that Lagrange assigns on your Kubernetes cluster."""
    context.obj = cp_repo
    if os.environ.get("NO_COLOR"):
        context.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def with_context(command: Callable[..., _R]) -> Callable[..., _R]:
    """Pass the provider's context to a command; report configuration errors and exit 2."""

    def wrapped(*args: Any, **kwargs: Any) -> _R:
        context = load_context()
        from app.errors import ConfigError  # noqa: PLC0415 - imported on use.

        try:
            return click.get_current_context().invoke(command, context, *args, **kwargs)
        except ConfigError as error:
            refuse(*error.problems)

    return update_wrapper(wrapped, command)


def load_context() -> "Context":
    """Return the context of the chosen folder, or print every configuration error and exit 2."""
    from app.context import open_context  # noqa: PLC0415 - imported on use.
    from app.errors import ConfigError  # noqa: PLC0415

    try:
        return open_context(click.get_current_context().find_root().obj)
    except ConfigError as error:
        refuse(*error.problems)


def refuse(*problems: str, code: int = _USAGE) -> NoReturn:
    """Print problems to standard error, one a line, and exit."""
    for line in "\n".join(problems).split("\n"):
        click.echo(visible(line), err=True)
    sys.exit(code)
