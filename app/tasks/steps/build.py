"""The build of a Space with a Dockerfile: its files to an image in the operator's registry."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import structlog

from app.config import Build, Config
from app.errors import Permanent, Temporary
from app.spaces import cgroups, dockerfile, images, planning, reader
from app.spaces.dockerfile import Dockerfile
from app.spaces.files import Files
from app.spaces.images import BuildContext, Registry
from app.spaces.source import Space
from app.store import Change, leases
from app.store.build_log import BuildLog
from app.tasks import transitions
from app.tasks.cleanup import image_gc
from app.tasks.step import StepContext, Superseded
from app.tasks.steps.apply import overrides, translated
from k8s.jobs import build_jobs
from k8s.logs import Filter

log = structlog.get_logger()

_LOOK_AGAIN_SECONDS = 20.0
_ATTEMPTS = 5


@contextmanager
def turn(step: StepContext) -> Iterator[None]:
    """Hold one of the places that the operator gives to builds.

    Raises:
        Permanent: `no_registry`, `registry_invalid`, `no_registry_credentials`, `no_builder`:
            nothing can be built here.
        Temporary: `build_queue`: there is none now.
    """
    config = step.context.config
    registry(step)
    _builder(step)
    with ExitStack() as held:
        for place in range(config.build.at_once):
            try:
                held.enter_context(leases.held(step.context.redis, f"build:{place}"))
            except leases.Busy:
                continue
            yield
            return
    raise _later("the builds of other Spaces go first")


def registry(step: StepContext) -> Registry:
    """Return the operator's registry.

    Raises:
        Permanent: `no_registry`, `registry_invalid`, `no_registry_credentials`.
    """
    configured = images.configured(step.context.config.registry)
    if configured is None:
        message = (
            "this Space has to be built from its Dockerfile, and this provider has no registry for"
            " images; its operator has to set [Registry] ServerAddress"
        )
        raise Permanent(message, category="no_registry")
    if not (configured.user or step.context.config.registry.allow_anonymous):
        message = (
            "this Space has to be built from its Dockerfile, and this provider has no credentials"
            " for its registry, where builds could then read and replace each other's images; its"
            " operator has to set [Registry] UserName and Password"
        )
        raise Permanent(message, category="no_registry_credentials")
    return configured


def planned(
    step: StepContext,
    space: Space,
    files: Files,
    folder: Path,
    path: str,
    *,
    names: planning.WorkloadNames,
) -> tuple[StepContext, planning.Plan]:
    """Build what is not built yet, and plan what has to run.

    Args:
        step: The step.
        space: The Space.
        files: Its files.
        folder: Ours.
        path: The Dockerfile.
        names: The names of the workload.

    Returns:
        The step with the task as it is by now, and the plan.

    Raises:
        Permanent: The Dockerfile cannot be built, see `images.Builder`; `build_refused`.
        Superseded: The task was changed meanwhile; nothing of the build is left.
        Temporary: Try again later.
    """
    table = step.context.config.build
    context = images.prepare(files.folder, files, path, max_bytes=table.max_context_bytes)
    file = reader.read_dockerfile(files, path)
    _refuse_fetches(file, step.context.config)
    image = images.name(registry(step), space.uuid, context.digest)
    digest = _digest(step, folder, context, image)
    repository = image.rpartition(":")[0]
    plan = planning.plan_image(names, f"{repository}@{digest}", file, hardware=space.order)
    return step.current(), plan


def abandon(step: StepContext) -> None:
    """Remove what a dead worker left of a task's build on the cluster.

    Raises:
        Permanent: The cluster refuses.
        Temporary: It is away.
    """
    config = step.context.config
    if config.registry.server_address and _named(config.build) == images.JOB:
        with translated():
            build_jobs.remove_of(step.context.cluster, step.task.id)


def _later(reason: str) -> Temporary:
    return Temporary(reason, category="build_queue", retry_after=_LOOK_AGAIN_SECONDS)


def _refuse_fetches(file: Dockerfile, config: Config) -> None:
    if config.build.network == "none" and file.urls:
        message = f"builds have no network here, so ADD cannot fetch {file.urls[0]}"
        raise Permanent(message, category="build_refused")
    if len(file.images) >= dockerfile.MAX_IMAGES:
        message = f"the Dockerfile uses {dockerfile.MAX_IMAGES} images or more; use fewer"
        raise Permanent(message, category="build_refused")
    registries = images.allowed_registries(config)
    for use in file.images:
        try:
            registries.check(use.image)
        except ValueError as error:
            message = f"line {use.line} of the Dockerfile: the image {error}"
            raise Permanent(message, category="build_refused") from None


def _digest(step: StepContext, folder: Path, context: BuildContext, image: str) -> str:
    """Return the digest of the image, which nobody else builds or prunes meanwhile."""
    try:
        with image_gc.in_use(step.context, image):
            return _built(step, folder, context, image)
    except leases.Busy:
        raise _later("the same image is being built") from None
    except OSError as error:
        raise Temporary(f"the build has no disk: {error.strerror}", category="disk") from error


def _built(step: StepContext, folder: Path, context: BuildContext, image: str) -> str:
    """Return the digest of the image, which is built unless the registry has what we pushed."""
    target = registry(step)
    digest = image_gc.pushed(step.context, image)
    if digest and asyncio.run(target.has(image, digest)):
        log.info("image known", image=image)
        return digest
    digest = _build(step, folder, context, image, target)
    image_gc.record(step.context, image, digest)
    return digest


def _build(
    step: StepContext, folder: Path, context: BuildContext, image: str, target: Registry
) -> str:
    builder = _builder(step)
    redaction = step.context.redaction
    order = replace(
        _order(step.context.config, folder, context, image, target),
        filter=Filter(redaction.bytes, redaction.reach),
    )
    journal = BuildLog(step.context.redis, step.task.id)
    journal.begin()
    _commit(step, transitions.building)
    log.info("image build begun", image=image, builder=builder.program)
    try:
        with translated():
            return builder.build(
                order,
                check=_also(step.check, journal.flush),
                tell=journal.tell,
                pushing=lambda: _commit(step, transitions.pushing),
            )
    finally:
        journal.end()


def _named(table: Build) -> str:
    """Return the builder of Spaces; the default is the one that a NetworkPolicy confines."""
    return table.builder or images.JOB


def _builder(step: StepContext) -> images.Builder:
    """Return the operator's builder.

    Raises:
        Permanent: `no_builder`.
        Temporary: The cluster is away.
    """
    context, table = step.context, step.context.config.build
    if (named := _named(table)) != images.JOB:
        return images.choose(named)
    with translated():
        capabilities = context.capabilities
    return images.JobBuilder(
        cluster=context.cluster,
        task_id=step.task.id,
        image=table.buildkit_image,
        capabilities=capabilities,
        overrides=overrides(context),
    )


def _order(
    config: Config, folder: Path, context: BuildContext, image: str, target: Registry
) -> images.BuildRequest:
    table = config.build
    build = folder / "build"
    build.mkdir(mode=0o700)
    limits = images.BuildLimits(
        seconds=table.timeout_seconds,
        memory_bytes=table.memory_bytes,
        cores=table.cpu,
        disk_bytes=table.max_disk_bytes,
    )
    return images.BuildRequest(
        image=image,
        context=context,
        folder=build,
        cgroup=cgroups.name(folder),
        registry=target,
        limits=limits,
        network=table.network,
        isolation=table.isolation,
        storage_driver=table.storage_driver,
        registries=images.allowed_registries(config),
    )


def _also(check: Callable[[], None], other: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        other()
        check()

    return both


def _commit(step: StepContext, becomes: Callable[..., Change]) -> None:
    """Write a change of the task as it is now: a renewal is no reason to build again.

    Raises:
        Superseded: It is wanted otherwise now.
    """
    for _ in range(_ATTEMPTS):
        current = step.current()
        with suppress(Superseded):
            current.commit(becomes(current.task, now=time.time()))
            return
    raise Superseded
