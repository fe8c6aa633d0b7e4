"""The `demo` command: one job from its webhook to its end, shown as it happens."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--keep", is_flag=True, help="Keep everything running until Ctrl-C, to look around.")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run it on this cluster, and fetch the page.  [default: a simulated cluster]",
)
@click.option(
    "--ingress",
    metavar="ADDRESS",
    default="",
    help="HTTP address of that cluster's ingress controller.  [default: detected]",
)
def demo(*, keep: bool, kubeconfig: Path | None, ingress: str) -> None:
    """Show one job from its webhook to its end. Nothing is left afterwards.

    Everything it needs is created in a temporary folder: a Redis (unless CP_API_REDISURL names
    one), a stand-in for Lagrange, the provider's processes, and a simulated cluster.
    """
    from app import demo as demonstration  # noqa: PLC0415 - imported on use.
    from app.cli.processes import children  # noqa: PLC0415

    if ingress and kubeconfig is None:
        raise click.UsageError("--ingress needs --kubeconfig: the simulated cluster serves no page")
    choice = demonstration.Choice(keep=keep, kubeconfig=kubeconfig, ingress=ingress)
    sys.exit(demonstration.play(choice, children))
