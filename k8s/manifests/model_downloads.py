"""Models that a service's file names: fetched by an init container, then mounted one by one.

Each service has a volume for its own. The service's ephemeral storage bounds it, what the service
mounts besides taken off: nothing more is reserved than the service has.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from k8s.api.errors import Unsupported
from k8s.manifests.scope import Scope
from k8s.manifests.templates import TemplateError
from k8s.naming import names
from k8s.workload import Component, Container, Model

FOLDER = "/models"
# One part is left for logs and what else counts: a volume or a pod at its limit would be evicted.
_PARTS = 16
PREFIX = "models-"


def init_containers(frame: Scope, component: Component) -> list[dict[str, Any]]:
    """One for each service of the pod that has models."""
    return [_init_container(frame, component, one) for one in component.containers if one.models]


def _init_container(frame: Scope, component: Component, container: Container) -> dict[str, Any]:
    taken = container.resources
    most = limit_bytes(component, container) // _PARTS * (_PARTS - 1)
    return frame.templates.fill(
        "fetch-container",
        {
            "name": _name(container),
            "image": frame.capabilities.fetch_image,
            "args": [_program(), FOLDER, str(most), *map(_argument, container.models)],
            "resources": {
                "cpu": f"{taken.cpu_millis}m",
                "memory": str(taken.memory_bytes),
                "ephemeral-storage": str(taken.storage_bytes),
            },
        },
    )


@cache
def _program() -> str:
    """`k8s/manifests/model_fetcher.py`, with nothing in it that Kubernetes would expand."""
    text = (resources.files("k8s.manifests") / "model_fetcher.py").read_text()
    if "$" in text:
        raise TemplateError("k8s/manifests/model_fetcher.py has a `$`")
    return text


def _argument(model: Model) -> str:
    """What the program reads of a model: JSON, without the `$` that Kubernetes would expand."""
    value = {"url": model.url, "name": model.name, "sha256": model.sha256}
    return json.dumps(value).replace("$", "\\u0024")


def limit_bytes(component: Component, container: Container) -> int:
    """What a service's models may have together.

    Raises:
        Unsupported: Nothing is left for them.
    """
    mounted = {mount.volume for mount in container.mounts}
    disks = sum(
        one.size_bytes for one in component.volumes if one.kind == "disk" and one.name in mounted
    )
    left = container.resources.storage_bytes - disks
    if left <= 0:
        raise Unsupported(
            f"services.{container.name}.models",
            "no ephemeral storage is left for them beside the volumes that are mounted",
        )
    return left


def volumes(component: Component) -> list[dict[str, Any]]:
    """The volumes that models of the pod's services are fetched into."""
    return [
        {"name": _name(one), "emptyDir": {"sizeLimit": str(limit_bytes(component, one))}}
        for one in component.containers
        if one.models
    ]


def mounts(container: Container) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a service sees each of its models: the path, and the mount without it."""
    for number, model in enumerate(container.models):
        yield model.path, {"name": _name(container), "subPath": str(number), "readOnly": True}


def fetchers(component: Component) -> set[str]:
    """The names of the init containers that its pods need."""
    return {_name(one) for one in component.containers if one.models}


def _name(container: Container) -> str:
    return PREFIX + names.dns_label(container.name, limit=names.MAX_LABEL - len(PREFIX))
