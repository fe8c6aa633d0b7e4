"""The `init` command: creates the provider's folder, key and configuration."""

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
@click.option("--defaults", is_flag=True, help="Do not ask; use the defaults for the rest.")
def init(*, defaults: bool, **given: str | None) -> None:
    """Create the provider's folder, its key and its config.toml.

    On a terminal it asks for values that no option gives. Existing files are left unchanged. A
    secret that is set in a CP_… variable is neither asked for nor written.
    """
    folder = configuration.resolve_folder(click.get_current_context().find_root().obj)
    path = folder / "config.toml"
    try:
        if path.exists():
            _keep(path, given)
        else:
            ask = sys.stdin.isatty() and not defaults
            _create(folder, path, init_questions.answers(given, ask=ask))
        node_id = identity.load(folder).node_id
    except OSError as error:
        refuse(
            f"{error.filename or folder}: {error.strerror}; choose another folder with --cp-repo"
        )
    except ConfigError as error:
        refuse(*error.problems)
    click.echo(f"{folder / 'private_key'}: your identity at Lagrange; back it up")
    _warn_if_readable(folder, path, folder / "private_key")
    _check(folder, path, node_id)


def _keep(path: Path, given: dict[str, str | None]) -> None:
    click.echo(f"{path}: already exists, left unchanged")
    unused = [
        question.option for question in init_questions.QUESTIONS if given[question.name] is not None
    ]
    if unused:
        click.echo(f"not used: {', '.join(unused)}; edit {path}", err=True)


def _create(folder: Path, path: Path, values: edit.Values) -> None:
    """Create folder and file, after all questions were answered: Ctrl-C leaves nothing behind."""
    text = edit.set_values(edit.read_sample(), values)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_created = atomic_files.create(path, text.encode())
    click.echo(f"{path}: {'created' if is_created else 'already exists, left unchanged'}")


def _warn_if_readable(*paths: Path) -> None:
    for path in paths:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            private = "700" if path.is_dir() else "600"
            click.echo(
                f"{path} is readable by others (mode {mode:o}): chmod {private} {path}", err=True
            )


def _check(folder: Path, path: Path, node_id: str) -> None:
    try:
        problems = [*config_check.problems(folder, configuration.load(folder))]
    except ConfigError as error:
        problems = [*error.problems]
    if problems:
        refuse(*problems, f"edit {path}, then: computing-provider config check")
    click.secho(f"{path} is complete", fg="green")
    click.echo(
        f"\nNext:\n"
        f"  1. Give Lagrange the node id {node_id[:12]}… and the callback public key, which\n"
        f"     `computing-provider info` shows, and any secret in [WEBHOOK] Secrets.\n"
        f"  2. Declare in [CLUSTER] what your cluster offers, then run\n"
        f"     `computing-provider config check`.\n"
        f"  3. `computing-provider run`"
    )
