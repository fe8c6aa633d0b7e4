"""The way of a Space with a `model-setting.json`: its model to the image that serves it."""

import asyncio

from app.config import Config
from app.errors import Permanent
from app.spaces import images, inference, planning
from app.spaces.images import Registry
from app.spaces.inference import ModelDescription
from app.tasks.step import StepContext
from k8s.workload import Resources


def planned(
    work: StepContext, setting: bytes, *, names: planning.WorkloadNames, hardware: Resources
) -> planning.Plan:
    """Plan what serves a model, by the digest that its image has in the operator's registry.

    Args:
        work: The step.
        setting: The Space's `model-setting.json`.
        names: What the workload is called after.
        hardware: The order's.

    Raises:
        Permanent: As `plan`; `framework_missing`: the operator has not installed the framework.
        Temporary: The hub or the registry is away.
    """
    config = work.context.config
    model, image = _served(config, setting)
    registry = images.configured(config.registry)
    if registry is not None:
        image = f"{image}@{_digest(registry, image, model.framework)}"
    return _plan(config, model, image, names=names, hardware=hardware)


def plan(
    config: Config, setting: bytes, *, names: planning.WorkloadNames, hardware: Resources | None
) -> planning.Plan:
    """Ask the hub what a model is, and plan what serves it, by the image's tag.

    Raises:
        Permanent: `model_invalid`, `model_missing`, `model_denied`, `model_refused`;
            `registry_invalid`, `url_invalid`: the configuration.
        Temporary: The hub is away.
    """
    return _plan(config, *_served(config, setting), names=names, hardware=hardware)


def _served(config: Config, setting: bytes) -> tuple[ModelDescription, str]:
    """Return the model, and the image that serves it."""
    model_id = inference.read(setting)
    registry = images.configured(config.registry)
    model = asyncio.run(inference.describe(config.inference, model_id))
    return model, inference.image_name(model.framework, registry.place if registry else "")


def _plan(
    config: Config,
    model: ModelDescription,
    image: str,
    *,
    names: planning.WorkloadNames,
    hardware: Resources | None,
) -> planning.Plan:
    cache_bytes = config.inference.cache_bytes
    return planning.plan_model(names, model, image, hardware=hardware, cache_bytes=cache_bytes)


def _digest(registry: Registry, image: str, framework: str) -> str:
    """Return what the tag stands for now: nodes may have an older image of the same tag."""
    digest = asyncio.run(registry.digest(image))
    if digest is None:
        message = (
            f"this provider's registry has no image {image}; its operator has to run"
            f" `computing-provider inference install {framework}`"
        )
        raise Permanent(message, category="framework_missing")
    return digest
