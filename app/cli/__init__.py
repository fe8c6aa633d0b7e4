"""The command line: `computing-provider`. Commands import what they need when they are called."""

import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from app.context import Context

_R = TypeVar("_R")
_USAGE = 2


class Commands(click.Group):
    """Commands that live in modules of their own, imported when one of them is called."""

    elsewhere: ClassVar = {
        "task": "app.cli.tasks:task",
        "render": "app.cli.render:render",
        "info": "app.cli.info:info",
        "config": "app.cli.info:config",
        "demo": "app.cli.demo:demo",
        "run": "app.cli.processes:run",
        "web": "app.cli.processes:web",
        "worker": "app.cli.processes:worker",
        "watcher": "app.cli.processes:watcher",
        "clock": "app.cli.processes:clock",
        "simulator": "app.cli.processes:simulator",
    }

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names in the order in which the help shows them."""
        return list(self.elsewhere)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in self.elsewhere:
            return None
        module, attribute = self.elsewhere[name].split(":")
        command: click.Command = getattr(__import__(module, fromlist=[attribute]), attribute)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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


def with_context(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the provider's context first; what is wrong with the configuration is told."""

    def wrapped(*args: Any, **kwargs: Any) -> _R:
        return click.get_current_context().invoke(command, opened(), *args, **kwargs)

    return update_wrapper(wrapped, command)


def opened() -> "Context":
    """Return the context of the chosen folder, or exit 2 with every problem on a line."""
    from app.context import opened as open_context  # noqa: PLC0415 - who needs it pays for it.
    from app.errors import ConfigError  # noqa: PLC0415

    try:
        return open_context(click.get_current_context().find_root().obj)
    except ConfigError as error:
        refuse(*error.problems)


def refuse(*problems: str, code: int = _USAGE) -> NoReturn:
    """Print problems to standard error, one a line, and exit."""
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(code)
