"""The `keys rotate` commands: each replaces a key and keeps the file that held the old one."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from tomlkit.exceptions import TOMLKitError

from app import config as configuration
from app.cli import (
    init_questions,
    load_context,
    refuse,
)
from app.config import Config, atomic_files, edit, identity
from app.context import Context
from app.errors import ConfigError, Temporary
from app.net import signatures


@click.group()
def keys() -> None:
    """Replace keys."""


@keys.group()
def rotate() -> None:
    """Replace one key with another.

    The previous file is kept beside the new one, with mode 0600 and the time in its name. Run this
    on one machine, copy the new file to the others, and restart the processes that it names.
    """


@rotate.command()
@click.option("--finish", is_flag=True, help="Accept only the newest secret from now on.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def webhook(*, finish: bool, yes: bool) -> None:
    """Rotate the secret that Lagrange signs with.

    The new secret is put first in [WEBHOOK] Secrets, and all of them are accepted. Give Lagrange
    the new one; once it signs with that, run this again with --finish.
    """
    config = load_context().config
    secrets = config.webhook.secrets
    _refuse_if_in_environment("WEBHOOK", "Secrets")
    if not secrets:
        refuse("[WEBHOOK] Secrets is empty: Lagrange signs with a key of its own, and rotates that")
    if finish:
        _refuse_if_single(len(secrets), "[WEBHOOK] Secrets", "webhook")
        _confirm(f"{len(secrets) - 1} older secrets will no longer be accepted. Continue?", yes=yes)
        kept = [secrets[0]]
    else:
        kept = [init_questions.new_secret(), *secrets]
    path = _write("WEBHOOK", "Secrets", kept)
    click.echo(f"{path}: {len(kept)} in [WEBHOOK] Secrets, the newest first; restart web")
    if not finish:
        click.echo(
            "then give the first of them to Lagrange, and once it signs with that, run"
            " computing-provider keys rotate webhook --finish"
        )


@rotate.command()
@click.option("--finish", is_flag=True, help="Sign with the newest key alone from now on.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def callbacks(*, finish: bool, yes: bool) -> None:
    """Rotate the key that signs callbacks.

    Callbacks are signed with the new key and all earlier ones. Give Lagrange the new public key;
    once it verifies with that, run this again with --finish.
    """
    context = load_context()
    numbers = context.config.lag.callback_keys
    _refuse_if_in_environment("LAG", "CallbackKeys")
    if finish:
        _refuse_if_single(len(numbers), "[LAG] CallbackKeys", "callbacks")
        _confirm(f"{len(numbers) - 1} older keys will no longer sign callbacks. Continue?", yes=yes)
        kept = [numbers[0]]
    else:
        kept = [max(numbers) + 1, *numbers]
    _check_callback_keys(context.config, kept)
    path = _write("LAG", "CallbackKeys", kept)
    public = signatures.public_text(context.identity.callback_key(kept[0]).public_key())
    click.echo(f"{path}: [LAG] CallbackKeys = {kept}; restart web and watcher")
    if not finish:
        click.echo(
            f"then give Lagrange {public}, and once it verifies callbacks with that, run"
            " computing-provider keys rotate callbacks --finish"
        )


@rotate.command("identity")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def identity_(*, yes: bool) -> None:
    """Rotate private_key: become another provider to Lagrange.

    The node id and the EVM address change, and with them all that is derived from the key: the
    callback key, and the codes in links to tasks and logs. Do this only if the key may have leaked.
    """
    context = load_context()
    folder = context.folder
    try:
        before = identity.load(folder)
        click.echo(
            "You will become another provider. Lagrange knows you as"
            f" {before.node_id[:12]}… ({before.address}):"
            " its EIP-191 messages about jobs of that one will be refused, existing links will"
            " stop working, and callbacks will be signed with another key. There is no overlap.",
            err=True,
        )
        click.echo(f"Active tasks: {_active(context)}. Let them end first.", err=True)
        _confirm("Continue?", yes=yes)
        backup = _backup_path(folder / "private_key")
        after = identity.rotate(folder, backup=backup)
    except ConfigError as error:
        refuse(*error.problems)
    click.echo(
        f"{folder / 'private_key'}: the node id is now {after.node_id}; the old key is {backup}"
    )
    click.echo(
        "restart every process, and give Lagrange the keys that `computing-provider info` shows"
    )


def _active(context: Context) -> str:
    try:
        return str(context.store.count_active())
    except Temporary:
        return "not known, Redis is away"


def _refuse_if_in_environment(table: str, key: str) -> None:
    """Refuse to write a value that an environment variable overrides."""
    variable = configuration.variable_name(table, key)
    if variable in os.environ:
        refuse(f"${variable} overrides config.toml: change it there, the newest first")


def _refuse_if_single(count: int, name: str, kind: str) -> None:
    if count == 1:
        refuse(f"nothing to finish: {name} has only one; `keys rotate {kind}` adds another", code=1)


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        refuse("there is no terminal to confirm on; use --yes")
    click.confirm(question, abort=True, err=True)


def _check_callback_keys(config: Config, numbers: list[int]) -> None:
    document = configuration.to_document(config)
    document["LAG"]["CallbackKeys"] = numbers
    try:
        configuration.convert(document)
    except ConfigError as error:
        refuse(
            *error.problems,
            "finish the earlier rotations first: computing-provider keys rotate callbacks --finish",
        )


def _write(table: str, key: str, value: Any) -> Path:
    """Write one key of config.toml and keep a copy of the previous file."""
    folder = configuration.resolve_folder(click.get_current_context().find_root().obj)
    path = (folder / "config.toml").resolve()
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        changed = edit.set_values(text, {(table, key): value})
        if path.exists():
            atomic_files.replace(path, changed.encode(), backup=_backup_path(path))
        else:
            atomic_files.create(path, changed.encode())
    except TOMLKitError as error:
        refuse(f"{path}: {error}")
    except OSError as error:
        refuse(f"{path}: {error.strerror}; set {key} in [{table}] at the source of this file")
    return path


def _backup_path(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return path.resolve().with_name(f"{path.name}.{stamp}")
