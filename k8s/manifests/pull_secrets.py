"""Pull secrets: credentials of the operator's registry in tenants' namespaces.

Each namespace has one Secret of a fixed name, so that the provider's account needs access to that
name alone. A pod refers to it only for images of its own Space or of the operator; no process in a
pod can read it, since pods have no token and mount no Secret.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s.api import url_paths
from k8s.manifests.scope import tenant_labels
from k8s.naming import names
from k8s.workload import Capabilities, Component, Workload

NAME = "computing-provider-registry"
DEPLOYED_FOR = "lagrangedao.org/deployed-for"
_KEY = ".dockerconfigjson"
_KIND = "kubernetes.io/dockerconfigjson"
# An image that serves models, by tag and digest; no Space has such a name: uuids have hyphens.
_FRAMEWORK = re.compile(r"[a-z0-9_]+:v1\.0@sha256:[0-9a-f]{64}")
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Content of a Docker `config.json` with which the images built here are pulled."""

    docker_config: bytes = field(repr=False)


def is_needed(workload: Workload, capabilities: Capabilities) -> bool:
    """Return whether any pod of the workload needs the operator's credentials."""
    return any(needs(workload, component, capabilities) for component in workload.components)


def needs(workload: Workload, component: Component, capabilities: Capabilities) -> bool:
    """Return whether the component's pods run images built here for this Space, or for all.

    All images of that registry have to be: the credentials apply to the whole pod, and a tenant who
    names an image built for another Space must not get it.
    """
    if not capabilities.private_images:
        return False
    host = _host(capabilities.private_images)
    images = [c.image for c in component.containers if _host(c.image) == host]
    return bool(images) and all(
        _is_for(image, workload.space_uuid, capabilities) for image in images
    )


def _host(image: str) -> str:
    """Return the registry of an image; Docker Hub when it names none."""
    first, _, rest = image.partition("/")
    if not rest or not (set(".:") & set(first) or first == "localhost"):
        return _DOCKER_HUB
    return first.lower().removeprefix("index.") if first.endswith(_DOCKER_HUB) else first.lower()


def _is_for(image: str, space_uuid: str, capabilities: Capabilities) -> bool:
    prefix = f"{capabilities.private_images}/"
    if not image.startswith(prefix):
        return False
    name = image.removeprefix(prefix)
    return name.startswith(f"{space_uuid}@sha256:") or bool(_FRAMEWORK.fullmatch(name))


def secret(workload: Workload, credentials: Credentials) -> dict[str, Any]:
    """Build the tenant's Secret; each deployment changes it, and so its resource version."""
    annotations = {DEPLOYED_FOR: f"{workload.task_id}:{workload.revision}"}
    return manifest(workload.wallet, annotations, credentials)


def manifest(
    wallet: str, annotations: Mapping[str, str], credentials: Credentials
) -> dict[str, Any]:
    """Build the Secret of a tenant with these annotations."""
    return {
        "apiVersion": url_paths.api_version("Secret"),
        "kind": "Secret",
        "metadata": {
            "name": NAME,
            "namespace": names.namespace(wallet),
            "labels": tenant_labels(wallet),
            "annotations": dict(annotations),
        },
        "type": _KIND,
        "data": {_KEY: base64.b64encode(credentials.docker_config).decode()},
    }
