"""The step from a Space's files to the workload that has to run."""

import asyncio
from pathlib import Path

from app.config import Config
from app.context import configured_capabilities
from app.errors import Permanent
from app.spaces import images, inference, planning, reader, source
from app.spaces.dockerfile import Dockerfile
from app.spaces.images import Registry
from app.spaces.inference import ModelDescription
from app.spaces.planning import Plan, WorkloadNames
from app.spaces.source import Space
from app.store.records import Task
from app.tasks.step import StepContext
from app.tasks.steps import build
from k8s.workload import Resources, Workload


def unbuilt(task: Task, space: Space) -> Workload:
    """Return the workload of an image before its build, which changes nothing of its resources.

    Raises:
        Permanent: `ldl_refused`: the order's hardware.
    """
    names = _names(task, space)
    return planning.plan_image(names, "", Dockerfile(), hardware=space.order).workload


def planned(
    step: StepContext, space: Space, files: source.Files, folder: Path
) -> tuple[StepContext, Plan]:
    """Return the plan, and the step with the task as it is after a build.

    Args:
        step: The step.
        space: The Space.
        files: Its files.
        folder: Ours, with the Space's files in `files`.

    Raises:
        Permanent: As `reader`, `build.planned` and `of_model`; `framework_missing`: the operator
            has not installed the framework.
        Superseded: The task was changed meanwhile.
        Temporary: Try again later.
    """
    kind, names, config = source.kind(space), _names(step.task, space), step.context.config
    if kind.name == "image":
        return build.planned(step, space, files, folder, kind.path, names=names)
    if kind.name == "model":
        return step, _of_pinned_model(config, reader.model_id(files, kind.path), names, space.order)
    return step, reader.plan(
        names,
        files,
        kind.path,
        hardware=space.order,
        capabilities=configured_capabilities(config),
        registries=images.allowed_registries(config),
    )


def of_model(
    config: Config, model_id: str, *, names: WorkloadNames, hardware: Resources | None
) -> Plan:
    """Ask the hub for a description of a model, and plan what serves it, by the image's tag.

    Raises:
        Permanent: `model_missing`, `model_denied`, `model_refused`; `registry_invalid`,
            `url_invalid`: the configuration.
        Temporary: The hub is away.
    """
    return _plan(config, *_served(config, model_id), names, hardware)


def _of_pinned_model(
    config: Config, model_id: str, names: WorkloadNames, hardware: Resources
) -> Plan:
    """Plan as `of_model`, by the digest that the image has in the operator's registry."""
    model, image = _served(config, model_id)
    registry = images.configured(config.registry)
    if registry is not None:
        image = f"{image}@{_digest(registry, image, model.framework)}"
    return _plan(config, model, image, names, hardware)


def _served(config: Config, model_id: str) -> tuple[ModelDescription, str]:
    """Return the model, and the image that serves it."""
    registry = images.configured(config.registry)
    model = asyncio.run(inference.describe(config.inference, model_id))
    return model, inference.image_name(model.framework, registry.place if registry else "")


def _plan(
    config: Config,
    model: ModelDescription,
    image: str,
    names: WorkloadNames,
    hardware: Resources | None,
) -> Plan:
    cache_bytes = config.inference.cache_bytes
    return planning.plan_model(names, model, image, hardware=hardware, cache_bytes=cache_bytes)


def _digest(registry: Registry, image: str, framework: str) -> str:
    """Return the digest of the tag now: nodes may have an older image of the same tag."""
    digest = asyncio.run(registry.digest(image))
    if digest is None:
        message = (
            f"this provider's registry has no image {image}; its operator has to run"
            f" `computing-provider inference install {framework}`"
        )
        raise Permanent(message, category="framework_missing")
    return digest


def _names(task: Task, space: Space) -> WorkloadNames:
    return WorkloadNames(
        task_id=task.id,
        task_uuid=task.task_uuid,
        space_uuid=space.uuid,
        space_name=space.name,
        wallet=space.wallet,
        host=task.host,
        revision=task.revision,
    )
