"""Model downloads: init containers that fetch a service's models, their volumes and mounts.

Each service has a volume of its own. It is bounded by the service's ephemeral storage minus the
other volumes that the service mounts, so it reserves nothing beyond that.
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
# One part is left for logs and the like: a pod whose volume reaches its limit would be evicted.
_PARTS = 16
PREFIX = "models-"


def init_containers(scope: Scope, component: Component) -> list[dict[str, Any]]:
    """Build one init container for each service of the pod that has models."""
    return [_init_container(scope, component, c) for c in component.containers if c.models]


def _init_container(scope: Scope, component: Component, container: Container) -> dict[str, Any]:
    amounts = container.resources
    max_bytes = limit_bytes(component, container) // _PARTS * (_PARTS - 1)
    return scope.templates.fill(
        "fetch-container",
        {
            "name": _name(container),
            "image": scope.capabilities.fetch_image,
            "args": [_program(), FOLDER, str(max_bytes), *map(_argument, container.models)],
            "resources": {
                "cpu": f"{amounts.cpu_millis}m",
                "memory": str(amounts.memory_bytes),
                "ephemeral-storage": str(amounts.storage_bytes),
            },
        },
    )


@cache
def _program() -> str:
    """Return the text of `model_fetcher.py`, which must have nothing that Kubernetes expands."""
    text = (resources.files("k8s.manifests") / "model_fetcher.py").read_text()
    if "$" in text:
        raise TemplateError("k8s/manifests/model_fetcher.py contains a `$`")
    return text


def _argument(model: Model) -> str:
    """Encode a model for the program: JSON, without the `$` that Kubernetes would expand."""
    value = {"url": model.url, "name": model.name, "sha256": model.sha256}
    return json.dumps(value).replace("$", "\\u0024")


def limit_bytes(component: Component, container: Container) -> int:
    """Return the most bytes that a service's models may have together.

    Raises:
        Unsupported: No storage is left for them.
    """
    mounted = {mount.volume for mount in container.mounts}
    disks = sum(
        volume.size_bytes
        for volume in component.volumes
        if volume.kind == "disk" and volume.name in mounted
    )
    left = container.resources.storage_bytes - disks
    if left <= 0:
        raise Unsupported(
            f"services.{container.name}.models",
            "no ephemeral storage is left for them beside the volumes that are mounted",
        )
    return left


def volumes(component: Component) -> list[dict[str, Any]]:
    """Build the volumes that models of the pod's services are fetched into."""
    return [
        {"name": _name(c), "emptyDir": {"sizeLimit": str(limit_bytes(component, c))}}
        for c in component.containers
        if c.models
    ]


def mounts(container: Container) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and mount (without the path) of each of a service's models."""
    for number, model in enumerate(container.models):
        yield model.path, {"name": _name(container), "subPath": str(number), "readOnly": True}


def fetchers(component: Component) -> set[str]:
    """Return the names of the init containers that its pods need."""
    return {_name(container) for container in component.containers if container.models}


def _name(container: Container) -> str:
    return PREFIX + names.dns_label(container.name, limit=names.MAX_LABEL - len(PREFIX))
