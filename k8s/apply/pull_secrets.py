"""The Secrets with the registry's credentials in tenants' namespaces: renewed, found, removed."""

from dataclasses import dataclass

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import Conflict, NotFound
from k8s.api.objects import Metadata, Part
from k8s.manifests import pull_secrets
from k8s.naming import labels, names


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A Secret as it was found."""

    namespace: str
    uid: str
    version: str


class _Secret(Part, frozen=True, kw_only=True):
    metadata: Metadata = Metadata()
    data: dict[str, str] = msgspec.field(default_factory=dict)


class _Annotated(Part, frozen=True, kw_only=True):
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


def refresh(cluster: Cluster, wallet: str, credentials: pull_secrets.Credentials) -> bool:
    """Bring the Secret of a tenant up to date, if there is one; return whether it was not.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        found = cluster.get(_path(wallet))
    except NotFound:
        return False
    kept = msgspec.convert(found["metadata"], _Annotated).annotations
    ours = {key: text for key, text in kept.items() if key == pull_secrets.DEPLOYED_FOR}
    wanted = pull_secrets.manifest(wallet, ours, credentials)
    if msgspec.convert(found, _Secret).data == wanted["data"]:
        return False
    cluster.apply(url_paths.object_path(wanted), wanted)
    return True


def find(cluster: Cluster, wallet: str) -> FoundSecret | None:
    """The Secret of a tenant, if there is one.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        found = msgspec.convert(cluster.get(_path(wallet)), _Secret).metadata
    except NotFound:
        return None
    is_ours = found.labels.get(labels.MANAGED_BY) == labels.MANAGER
    return FoundSecret(found.namespace, found.uid, found.resource_version) if is_ours else None


def remove(cluster: Cluster, mark: FoundSecret) -> bool:
    """Remove a Secret if nothing was deployed with it since; False when something was.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    path = f"{url_paths.collection('Secret', mark.namespace)}/{pull_secrets.NAME}"
    try:
        cluster.delete(path, uid=mark.uid, version=mark.version)
    except Conflict:
        return False
    return True


def _path(wallet: str) -> str:
    return f"{url_paths.collection('Secret', names.namespace(wallet))}/{pull_secrets.NAME}"
