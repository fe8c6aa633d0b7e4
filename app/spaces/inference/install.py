"""Installation of the images that serve models: built from source, pushed to the registry."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.config import Build, Config
from app.errors import Permanent
from app.spaces import cgroups, images, inference, scratch
from app.spaces.images import BuildContext, Registry

SOURCES = "inference-model"
REPOSITORY = "https://github.com/huggingface/api-inference-community"
_DOCKERFILE = "Dockerfile"


@dataclass(frozen=True, slots=True)
class Installed:
    """An image in the registry: its name, its digest (`sha256:…`), and whether it is new."""

    image: str
    digest: str
    built: bool


def install(
    config: Config,
    folder: Path,
    framework: str,
    sources: Path,
    *,
    seconds: float,
    again: bool,
    tell: Callable[[str], None],
) -> Installed:
    """Build and push a framework's image, unless the registry already has it.

    Args:
        config: The registry, and the builder's settings.
        folder: The provider's folder, in which the build gets a scratch folder.
        framework: One of `inference.FRAMEWORKS`.
        sources: A copy of the api-inference-community repository.
        seconds: The most that the build and the push may take.
        again: Build even if the registry has the image.
        tell: Called with each line of the build's log.

    Raises:
        Permanent: `no_registry`, `registry_invalid`, `sources_missing`; as `images.Builder`.
        Temporary: The registry is unavailable; as `images.Builder`.
        OSError: The sources cannot be read or copied.
    """
    registry = _registry(config)
    image = inference.image_name(framework, registry.place)
    digest = asyncio.run(registry.digest(image))
    if digest and not again:
        return Installed(image, digest, built=False)
    source = _source(sources, framework)
    with scratch.folder(folder / "scratch", "inference") as place:
        context = _copy(source, place / "files", config.build.max_context_bytes)
        (place / "build").mkdir(mode=0o700)
        order = _order(
            config.build, place, context, image=image, registry=registry, seconds=seconds
        )
        digest = _build(order, config.build.builder, tell)
    return Installed(image, digest, built=True)


def _build(order: images.BuildRequest, builder: str, tell: Callable[[str], None]) -> str:
    chosen = images.choose(builder)
    return chosen.build(order, check=_nothing, tell=tell, pushing=_nothing)


def available_frameworks(sources: Path) -> list[str]:
    """Return the frameworks that a copy of the sources contains."""
    return [
        name for name in inference.FRAMEWORKS if (_place(sources, name) / _DOCKERFILE).is_file()
    ]


def _registry(config: Config) -> Registry:
    registry = images.configured(config.registry)
    if registry is None:
        message = (
            "there is no registry for the images; set [Registry] ServerAddress to one that the"
            " cluster's nodes pull from"
        )
        raise Permanent(message, category="no_registry")
    return registry


def _place(sources: Path, framework: str) -> Path:
    return sources / "docker_images" / framework


def _source(sources: Path, framework: str) -> Path:
    folder = _place(sources, framework)
    if (folder / _DOCKERFILE).is_file():
        return folder
    if frameworks := available_frameworks(sources):
        message = f"{sources} has no {framework}; it has {', '.join(frameworks)}"
    else:
        message = f"{sources} has no sources; get them: git clone {REPOSITORY} {sources}"
    raise Permanent(message, category="sources_missing")


def _copy(source: Path, target: Path, max_bytes: int) -> BuildContext:
    """Copy a framework's sources without links, because a build changes the modes of its files."""
    shutil.copytree(source, target, ignore=_symlinks)
    return images.prepare(target, _files(target), _DOCKERFILE, max_bytes=max_bytes)


def _symlinks(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_symlink()]


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _order(
    table: Build,
    place: Path,
    context: BuildContext,
    *,
    image: str,
    registry: Registry,
    seconds: float,
) -> images.BuildRequest:
    limits = images.BuildLimits(
        seconds=seconds,
        memory_bytes=table.memory_bytes,
        cores=table.cpu,
        disk_bytes=table.max_disk_bytes,
    )
    return images.BuildRequest(
        image=image,
        context=context,
        folder=place / "build",
        cgroup=cgroups.name(place),
        registry=registry,
        limits=limits,
        # The operator chose the sources, and their steps install packages.
        network="host" if table.network == "none" else table.network,
        isolation=table.isolation,
        storage_driver=table.storage_driver,
    )


def _nothing() -> None:
    """Do nothing: no check or state change interrupts this build."""
