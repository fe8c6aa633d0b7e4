"""The `inference` commands: installation of the images that serve models."""

from pathlib import Path

import click

from app.cli import refuse, with_context
from app.cli.formatting import visible
from app.context import Context


@click.group()
def inference() -> None:
    """Offer Hugging Face models to tenants."""


@inference.command()
@click.argument("frameworks", nargs=-1, required=True)
@click.option(
    "--sources",
    type=click.Path(path_type=Path, file_okay=False),
    help="A copy of the api-inference-community repository.  [default: $CP_PATH/inference-model]",
)
@click.option("--again", is_flag=True, help="Rebuild images that the registry already has.")
@click.option(
    "--timeout-seconds",
    type=click.IntRange(min=1),
    default=7200,
    show_default=True,
    help="Time limit for each image.",
)
@with_context
def install(
    context: Context,
    frameworks: tuple[str, ...],
    sources: Path | None,
    *,
    again: bool,
    timeout_seconds: int,
) -> None:
    """Build the images of FRAMEWORKS, such as transformers or diffusers, and push them.

    Each becomes <registry>/lagrange/<framework>:v1.0. Images that the registry already has are
    skipped.
    """
    from app.spaces.inference import FRAMEWORKS  # noqa: PLC0415 - needed here only.

    unknown = [name for name in frameworks if name not in FRAMEWORKS]
    if unknown:
        refuse(f"{', '.join(unknown)}: not a framework; choose from {', '.join(FRAMEWORKS)}")
    for name in dict.fromkeys(frameworks):
        _install(context, name, sources, again=again, seconds=timeout_seconds)


def _install(
    context: Context, name: str, sources: Path | None, *, again: bool, seconds: int
) -> None:
    """Install one framework; show the last line of its build on a terminal, else every line."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, needed here only.
    from rich.markup import escape  # noqa: PLC0415

    from app.errors import Failure  # noqa: PLC0415
    from app.spaces.inference import install as framework_install  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status(name) as status:

        def tell(line: str) -> None:
            if console.is_terminal:
                status.update(f"{name}: {escape(visible(line))}")
            else:
                click.echo(f"{name}: {line}", err=True)

        try:
            installed = framework_install.install(
                context.config,
                context.folder,
                name,
                sources or context.folder / framework_install.SOURCES,
                seconds=seconds,
                again=again,
                tell=tell,
            )
        except (Failure, OSError) as error:
            refuse(f"{name}: {error}", code=1)
    outcome = "built and pushed" if installed.built else "is already there"
    click.echo(f"{installed.image} {outcome} ({installed.digest})")
