"""What serves the models of Spaces with a `model-setting.json`."""

from pathlib import Path

import click

from app.cli import refuse, with_context
from app.context import Context


@click.group()
def inference() -> None:
    """Offer models of Hugging Face to tenants."""


@inference.command()
@click.argument("frameworks", nargs=-1, required=True)
@click.option(
    "--sources",
    type=click.Path(path_type=Path, file_okay=False),
    help="A copy of the api-inference-community repository.  [default: $CP_PATH/inference-model]",
)
@click.option("--again", is_flag=True, help="Build images that the registry has too.")
@click.option(
    "--timeout-seconds",
    type=click.IntRange(min=1),
    default=7200,
    show_default=True,
    help="The most that one image may take.",
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
    """Build the images of FRAMEWORKS, such as transformers or diffusers, into the registry.

    Each becomes <registry>/lagrange/<framework>:v1.0. What the registry has is left as it is.
    """
    from app.spaces.inference import FRAMEWORKS  # noqa: PLC0415 - needed here only.

    unknown = [name for name in frameworks if name not in FRAMEWORKS]
    if unknown:
        refuse(f"{', '.join(unknown)}: no framework; there are {', '.join(FRAMEWORKS)}")
    for name in dict.fromkeys(frameworks):
        _install(context, name, sources, again=again, seconds=timeout_seconds)


def _install(
    context: Context, name: str, sources: Path | None, *, again: bool, seconds: int
) -> None:
    """Install one framework; its build's last line is shown on a terminal, else every line."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, needed here only.
    from rich.markup import escape  # noqa: PLC0415

    from app.errors import Failure  # noqa: PLC0415
    from app.spaces.inference import install as framework_install  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status(name) as status:

        def tell(line: str) -> None:
            if console.is_terminal:
                status.update(f"{name}: {escape(line)}")
            else:
                click.echo(f"{name}: {line}", err=True)

        try:
            done = framework_install.install(
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
    word = "built and pushed" if done.built else "is there already"
    click.echo(f"{done.image} {word} ({done.digest})")
