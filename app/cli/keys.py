"""`keys rotate`: another key in the place of each, the old one kept aside."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from tomlkit.exceptions import TOMLKitError

from app import config as configuration
from app.cli import (
    glance,
    init_questions,
    opened,
    refuse,
)
from app.config import Config, atomic_files, edit, identity
from app.errors import ConfigError, Temporary
from app.net import signatures


@click.group()
def keys() -> None:
    """Replace keys."""


@keys.group()
def rotate() -> None:
    """Put another key in the place of one.

    The file that held the old one is kept beside it under a name with the time, mode 0600. Run it
    on one machine, copy the file to the others, and restart what it names.
    """


@rotate.command()
@click.option("--finish", is_flag=True, help="Accept only the newest secret from now on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def webhook(*, finish: bool, yes: bool) -> None:
    """Rotate the secret that Lagrange signs with.

    The new secret is written before those that there are, in [WEBHOOK] Secrets, and all are
    accepted. Give Lagrange the new one; once it signs with that, call this again with --finish.
    """
    config = opened().config
    secrets = config.webhook.secrets
    _refuse_elsewhere("WEBHOOK", "Secrets")
    if not secrets:
        refuse("[WEBHOOK] Secrets is empty: Lagrange signs with a key of its own, and rotates that")
    if finish:
        _refuse_single(len(secrets), "[WEBHOOK] Secrets", "webhook")
        _confirm(f"{len(secrets) - 1} older secrets are not accepted any more. Go on?", yes=yes)
        kept = [secrets[0]]
    else:
        kept = [init_questions.new_secret(), *secrets]
    path = _write("WEBHOOK", "Secrets", kept)
    click.echo(f"{path}: {len(kept)} in [WEBHOOK] Secrets, the newest first; restart web")
    if not finish:
        click.echo(
            "then give the first of them to Lagrange, and once it signs with that:"
            " computing-provider keys rotate webhook --finish"
        )


@rotate.command()
@click.option("--finish", is_flag=True, help="Sign with the newest key alone from now on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def callbacks(*, finish: bool, yes: bool) -> None:
    """Rotate the key that signs callbacks.

    Callbacks are signed with the new key and with those before it. Give Lagrange the new public
    key; once it checks with that, call this again with --finish.
    """
    context = opened()
    numbers = context.config.lag.callback_keys
    _refuse_elsewhere("LAG", "CallbackKeys")
    if finish:
        _refuse_single(len(numbers), "[LAG] CallbackKeys", "callbacks")
        _confirm(f"Callbacks are not signed with {len(numbers) - 1} older keys. Go on?", yes=yes)
        kept = [numbers[0]]
    else:
        kept = [max(numbers) + 1, *numbers]
    _checked(context.config, kept)
    path = _write("LAG", "CallbackKeys", kept)
    public = signatures.public_text(context.identity.callback_key(kept[0]).public_key())
    click.echo(f"{path}: [LAG] CallbackKeys = {kept}; restart web and watcher")
    if not finish:
        click.echo(
            f"then give Lagrange {public}, and once it checks callbacks with that:"
            " computing-provider keys rotate callbacks --finish"
        )


@rotate.command("identity")
@click.option("--yes", is_flag=True, help="Do not ask.")
def identity_(*, yes: bool) -> None:
    """Rotate private_key: become another provider to Lagrange.

    The node id and the EVM address change, and with them every key that derives from it: that of
    callbacks, and the codes in links to tasks and logs. Only for a key that others may have seen.
    """
    folder = opened().folder
    try:
        before = identity.load(folder)
        click.echo(
            "You become another provider. Lagrange knows you as"
            f" {before.node_id[:12]}… ({before.address}):"
            " what it says about jobs of that one by EIP-191 is refused afterwards, links that were"
            " given out end, and callbacks are signed with another key. There is no overlap.",
            err=True,
        )
        click.echo(f"Tasks that are not over: {_active()}. Let them end first.", err=True)
        _confirm("Go on?", yes=yes)
        aside = _aside(folder / "private_key")
        after = identity.rotated(folder, aside=aside)
    except ConfigError as error:
        refuse(*error.problems)
    click.echo(
        f"{folder / 'private_key'}: the node id is {after.node_id} now; the old key is {aside}"
    )
    click.echo("restart every process, and tell Lagrange what `computing-provider info` shows")


def _active() -> str:
    memory = glance()
    try:
        return str(memory.count_active())
    except Temporary:
        return "not known, Redis is away"
    finally:
        memory.close()


def _refuse_elsewhere(table: str, key: str) -> None:
    """What an environment variable says wins over config.toml."""
    variable = configuration.variable(table, key)
    if variable in os.environ:
        refuse(f"${variable} wins over config.toml: change it there, the newest first")


def _refuse_single(count: int, name: str, kind: str) -> None:
    if count == 1:
        refuse(f"nothing to finish: {name} has one; `keys rotate {kind}` adds another", code=1)


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        refuse("nobody can be asked: say --yes")
    click.confirm(question, abort=True, err=True)


def _checked(config: Config, numbers: list[int]) -> None:
    document = configuration.document(config)
    document["LAG"]["CallbackKeys"] = numbers
    try:
        configuration.converted(document)
    except ConfigError as error:
        refuse(*error.problems, "finish the rotations before: keys rotate callbacks --finish")


def _write(table: str, key: str, value: Any) -> Path:
    """Write one key of config.toml; the file as it was is kept aside."""
    folder = configuration.folder(click.get_current_context().find_root().obj)
    path = (folder / "config.toml").resolve()
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        changed = edit.with_values(text, {(table, key): value})
        if path.exists():
            atomic_files.replace(path, changed.encode(), aside=_aside(path))
        else:
            atomic_files.create(path, changed.encode())
    except TOMLKitError as error:
        refuse(f"{path}: {error}")
    except OSError as error:
        refuse(f"{path}: {error.strerror}; write {key} = {'…'} below [{table}] where it comes from")
    return path


def _aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return path.resolve().with_name(f"{path.name}.{stamp}")
