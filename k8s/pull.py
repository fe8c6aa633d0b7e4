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

import msgspec

from k8s import labels, names, paths
from k8s.client import Cluster
from k8s.errors import Conflict, NotFound
from k8s.frame import tenant_labels
from k8s.objects import Metadata, Part
from k8s.workload import Component, Offer, Workload

NAME = "computing-provider-registry"
_FOR = "lagrangedao.org/deployed-for"
_KEY = ".dockerconfigjson"
_KIND = "kubernetes.io/dockerconfigjson"
# What serves models, by tag and digest: no Space is called so, since uuids have hyphens.
_FRAMEWORK = re.compile(r"[a-z0-9_]+:v1\.0@sha256:[0-9a-f]{64}")
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a `config.json` has to say to pull the images that are built here."""

    docker_config: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """A Secret as it was found."""

    namespace: str
    uid: str
    version: str


class _Secret(Part, frozen=True, kw_only=True):
    metadata: Metadata = Metadata()
    data: dict[str, str] = msgspec.field(default_factory=dict)


class _Annotated(Part, frozen=True, kw_only=True):
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


def is_needed(workload: Workload, offer: Offer) -> bool:
    """Whether a pod of the workload has to be pulled for with the operator's credentials."""
    return any(needs(workload, one, offer) for one in workload.components)


def needs(workload: Workload, component: Component, offer: Offer) -> bool:
    """Whether the component's pods run an image that was built here for this Space, or for all.

    Not beside another one of the same registry: the credentials are the whole pod's, and whoever
    names what was built for another Space must not get it.
    """
    if not offer.private_images:
        return False
    host = _host(offer.private_images)
    images = [one.image for one in component.containers if _host(one.image) == host]
    return bool(images) and all(_is_for(one, workload.space_uuid, offer) for one in images)


def _host(image: str) -> str:
    """The registry of an image; what names none is Docker Hub's."""
    first, _, rest = image.partition("/")
    if not rest or not (set(".:") & set(first) or first == "localhost"):
        return _DOCKER_HUB
    return first.lower().removeprefix("index.") if first.endswith(_DOCKER_HUB) else first.lower()


def _is_for(image: str, space_uuid: str, offer: Offer) -> bool:
    start = f"{offer.private_images}/"
    if not image.startswith(start):
        return False
    called = image.removeprefix(start)
    return called.startswith(f"{space_uuid}@sha256:") or bool(_FRAMEWORK.fullmatch(called))


def secret(workload: Workload, credentials: Credentials) -> dict[str, Any]:
    """The tenant's Secret; it differs from deployment to deployment, so that each is noticed."""
    annotations = {_FOR: f"{workload.task_id}:{workload.revision}"}
    return _secret(workload.wallet, annotations, credentials)


def _secret(
    wallet: str, annotations: Mapping[str, str], credentials: Credentials
) -> dict[str, Any]:
    return {
        "apiVersion": paths.api_version("Secret"),
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


def refresh(cluster: Cluster, wallet: str, credentials: Credentials) -> bool:
    """Bring the Secret of a tenant up to date, if there is one; return whether it was not.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        found = cluster.get(_path(wallet))
    except NotFound:
        return False
    kept = msgspec.convert(found["metadata"], _Annotated).annotations
    ours = {key: text for key, text in kept.items() if key == _FOR}
    wanted = _secret(wallet, ours, credentials)
    if msgspec.convert(found, _Secret).data == wanted["data"]:
        return False
    cluster.apply(paths.of(wanted), wanted)
    return True


def find(cluster: Cluster, wallet: str) -> Mark | None:
    """The Secret of a tenant, if there is one.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        found = msgspec.convert(cluster.get(_path(wallet)), _Secret).metadata
    except NotFound:
        return None
    is_ours = found.labels.get(labels.MANAGED_BY) == labels.MANAGER
    return Mark(found.namespace, found.uid, found.resource_version) if is_ours else None


def remove(cluster: Cluster, mark: Mark) -> bool:
    """Remove a Secret if nothing was deployed with it since; False when something was.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    path = f"{paths.collection('Secret', mark.namespace)}/{NAME}"
    try:
        cluster.delete(path, uid=mark.uid, version=mark.version)
    except Conflict:
        return False
    return True


def _path(wallet: str) -> str:
    return f"{paths.collection('Secret', names.namespace(wallet))}/{NAME}"
