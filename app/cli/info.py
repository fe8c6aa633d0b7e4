"""The `info` and `config` commands: identity, reports, inventory and configuration."""

import json

import click

from app import config as configuration
from app.cli import load_context, refuse, with_context
from app.context import Context
from app.errors import ConfigError
from app.net import signatures


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def info(context: Context, *, as_json: bool) -> None:
    """Show the provider's identity, reports and inventory.

    That is: its public keys, the last reports to Lagrange and whether they were accepted, and
    for each node the resources in total, used, reserved and free.

    Parts that come from Redis or the cluster are left out while these are unavailable.
    """
    from app.cli import inventory, report_status  # noqa: PLC0415 - slow to import, needed here only.

    try:
        facts = _facts(context)
    except ConfigError as error:
        refuse(*error.problems)
    reports, nodes = report_status.document(context), inventory.document(context)
    if as_json:
        click.echo(json.dumps({**facts, "lagrange": reports, "inventory": nodes}, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {value or '-'}")
    click.echo()
    for line in report_status.lines(reports):
        click.echo(line)
    if nodes:
        click.echo()
        inventory.print_table(nodes)


def _facts(context: Context) -> dict[str, str]:
    identity = context.identity
    return {
        "node_id": identity.node_id,
        "address": identity.address,
        "callback_public_key": signatures.public_text(context.callback_keys[0].public_key()),
        "folder": str(context.folder),
        "domain": context.config.api.domain,
        "multi_address": context.config.api.multi_address,
    }


@click.group()
def config() -> None:
    """Inspect the configuration."""


@config.command()
def check() -> None:
    """Check config.toml and the environment; print the effective values, secrets masked."""
    from app.cli import config_check  # noqa: PLC0415 - only here.

    context = load_context()
    table = ""
    for name, key, value in configuration.mask(context.config):
        if name != table:
            click.secho(f"[{name}]", bold=True)
            table = name
        click.echo(f"  {key} = {value}")
    try:
        problems = [*config_check.problems(context.folder, context.config)]
        _ = context.identity
        warnings = [] if problems else [*config_check.warnings(context)]
    except ConfigError as error:
        refuse(*error.problems)
    if problems:
        refuse(*problems)
    for warning in warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    click.secho(f"{context.folder / 'config.toml'} is complete", fg="green", err=True)
