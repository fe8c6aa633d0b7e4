"""`init`: the provider's folder, its key and its configuration."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from app import config as configuration
from app.cli import config_check, init_questions, refuse
from app.config import atomic_files, edit, identity
from app.errors import ConfigError

_C = TypeVar("_C", bound=Callable[..., Any])


def _options(command: _C) -> _C:
    for question in reversed(init_questions.QUESTIONS):
        command = click.option(question.option, help=question.help)(command)
    return command


@click.command()
@_options
@click.option("--defaults", is_flag=True, help="Ask nothing: take the defaults for the rest.")
def init(*, defaults: bool, **given: str | None) -> None:
    """Make the provider's folder, its key and its config.toml.

    On a terminal it asks for what no option says. What is there already is left as it is. A
    secret that a CP_… variable holds is neither asked for nor written.
    """
    folder = configuration.folder(click.get_current_context().find_root().obj)
    path = folder / "config.toml"
    try:
        if path.exists():
            _keep(path, given)
        else:
            ask = sys.stdin.isatty() and not defaults
            _make(folder, path, init_questions.answers(given, ask=ask))
        node_id = identity.load(folder).node_id
    except OSError as error:
        refuse(f"{error.filename or folder}: {error.strerror}; choose another folder by --cp-repo")
    except ConfigError as error:
        refuse(*error.problems)
    click.echo(f"{folder / 'private_key'}: who you are to Lagrange; back it up")
    _warn_of_readers(folder, path, folder / "private_key")
    _judge(folder, path, node_id)


def _keep(path: Path, given: dict[str, str | None]) -> None:
    click.echo(f"{path}: there already, left as it is")
    unused = [one.option for one in init_questions.QUESTIONS if given[one.name] is not None]
    if unused:
        click.echo(f"not used: {', '.join(unused)}; edit {path}", err=True)


def _make(folder: Path, path: Path, values: edit.Values) -> None:
    """The folder is made once everything was answered: who leaves before that leaves nothing."""
    text = edit.with_values(edit.sample(), values)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = atomic_files.create(path, text.encode())
    click.echo(f"{path}: {'made' if made else 'there already, left as it is'}")


def _warn_of_readers(*paths: Path) -> None:
    for path in paths:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            wanted = "700" if path.is_dir() else "600"
            click.echo(f"others may read {path} (mode {mode:o}): chmod {wanted} {path}", err=True)


def _judge(folder: Path, path: Path, node_id: str) -> None:
    try:
        problems = [*config_check.problems(folder, configuration.load(folder))]
    except ConfigError as error:
        problems = [*error.problems]
    if problems:
        refuse(*problems, f"edit {path}, then: computing-provider config check")
    click.secho(f"{path} is complete", fg="green")
    click.echo(
        f"\nNext:\n"
        f"  1. Give Lagrange the node id {node_id[:12]}… and the key of callbacks, which\n"
        f"     `computing-provider info` shows, and any secret in [WEBHOOK] Secrets.\n"
        f"  2. Say in [CLUSTER] what your cluster offers; then `computing-provider config check`.\n"
        f"  3. `computing-provider run`"
    )
