"""The credentials of the operator's registry in tenants' namespaces, for the images built here.

Each namespace has one Secret of a name that never changes, so that our account needs to be allowed
that name and no other. A pod names it only for images of its own Space or of the operator; nothing
in a pod can read it, since pods have no token and mount no Secret.
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
# What serves models, by tag and digest: no Space is called so, since uuids have hyphens.
_FRAMEWORK = re.compile(r"[a-z0-9_]+:v1\.0@sha256:[0-9a-f]{64}")
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a `config.json` has to say to pull the images that are built here."""

    docker_config: bytes = field(repr=False)


def is_needed(workload: Workload, capabilities: Capabilities) -> bool:
    """Whether a pod of the workload has to be pulled for with the operator's credentials."""
    return any(needs(workload, one, capabilities) for one in workload.components)


def needs(workload: Workload, component: Component, capabilities: Capabilities) -> bool:
    """Whether the component's pods run an image that was built here for this Space, or for all.

    Not beside another one of the same registry: the credentials are the whole pod's, and whoever
    names what was built for another Space must not get it.
    """
    if not capabilities.private_images:
        return False
    host = _host(capabilities.private_images)
    images = [one.image for one in component.containers if _host(one.image) == host]
    return bool(images) and all(_is_for(one, workload.space_uuid, capabilities) for one in images)


def _host(image: str) -> str:
    """The registry of an image; what names none is Docker Hub's."""
    first, _, rest = image.partition("/")
    if not rest or not (set(".:") & set(first) or first == "localhost"):
        return _DOCKER_HUB
    return first.lower().removeprefix("index.") if first.endswith(_DOCKER_HUB) else first.lower()


def _is_for(image: str, space_uuid: str, capabilities: Capabilities) -> bool:
    start = f"{capabilities.private_images}/"
    if not image.startswith(start):
        return False
    called = image.removeprefix(start)
    return called.startswith(f"{space_uuid}@sha256:") or bool(_FRAMEWORK.fullmatch(called))


def secret(workload: Workload, credentials: Credentials) -> dict[str, Any]:
    """The tenant's Secret; it differs from deployment to deployment, so that each is noticed."""
    annotations = {DEPLOYED_FOR: f"{workload.task_id}:{workload.revision}"}
    return manifest(workload.wallet, annotations, credentials)


def manifest(
    wallet: str, annotations: Mapping[str, str], credentials: Credentials
) -> dict[str, Any]:
    """Return the Secret of a tenant with these annotations."""
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
