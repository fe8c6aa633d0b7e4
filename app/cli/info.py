"""Who this provider is, and whether its configuration is right."""

import json

import click

from app import config as configuration
from app import signing
from app.cli import opened, refuse, with_context
from app.context import Context, refuse_incomplete
from app.errors import ConfigError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def info(context: Context, *, as_json: bool) -> None:
    """Show the node id, the EVM address, the key that signs callbacks, and what the nodes have."""
    from app.cli import inventory  # noqa: PLC0415 - slow to import, needed here only.

    try:
        identity = context.identity
    except ConfigError as error:
        refuse(*error.problems)
    facts = {
        "node_id": identity.node_id,
        "address": identity.address,
        "callback_public_key": signing.public_text(identity.signing_key.public_key()),
        "folder": str(context.folder),
        "domain": context.config.api.domain,
        "multi_address": context.config.api.multi_address,
    }
    nodes = inventory.document(context)
    if as_json:
        click.echo(json.dumps({**facts, "inventory": nodes}, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {value}")
    if nodes:
        click.echo()
        inventory.print_table(nodes)


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
def check() -> None:
    """Check config.toml and the environment; print what is in force, secrets masked."""
    from app import policy  # noqa: PLC0415 - only here.
    from app.admission import price  # noqa: PLC0415
    from app.authentication import Authentication  # noqa: PLC0415

    context = opened()
    table = ""
    for name, key, value in configuration.shown(context.config):
        if name != table:
            click.secho(f"[{name}]", bold=True)
            table = name
        click.echo(f"  {key} = {value}")
    try:
        refuse_incomplete(context.config)
        Authentication(context.config, context.identity)
        policy.load(context.folder)
        price.load(context.folder)
    except ConfigError as error:
        refuse(*error.problems)
    except price.Unreadable as error:
        refuse(str(error))
    click.secho(f"{context.folder / 'config.toml'} is complete", fg="green", err=True)
