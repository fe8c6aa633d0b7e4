"""The simulated cluster as a process: `python -m app.demo.cluster KUBECONFIG`."""

from pathlib import Path

import click

from app.demo.cluster.server import serve
from app.processes import log_setup


@click.command()
@click.argument("kubeconfig", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--port", default=0, help="Any that is free unless given.")
@click.option("--token", default="", help="The bearer token to ask for; a new one unless given.")
@click.option("--startup-seconds", default=0.5, help="From a pod's creation until it is ready.")
@click.option("--history", default=10_000, help="How many changes watches can go back.")
def main(kubeconfig: Path, port: int, token: str, startup_seconds: float, history: int) -> None:
    """Serve until SIGTERM or SIGINT; KUBECONFIG is written once it serves, removed at the end."""
    log_setup.start("simulator")
    serve(
        kubeconfig=kubeconfig,
        port=port,
        token=token,
        startup_seconds=startup_seconds,
        history=history,
    )


if __name__ == "__main__":
    main()
