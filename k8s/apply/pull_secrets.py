"""Secrets with the registry's credentials in tenants' namespaces: refreshed, and found."""

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.api.objects import Metadata, Part
from k8s.apply.conditional_removal import Version
from k8s.manifests import pull_secrets
from k8s.naming import labels, names


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
        secret = cluster.get(_path(wallet))
    except NotFound:
        return False
    kept = msgspec.convert(secret["metadata"], _Annotated).annotations
    ours = {key: text for key, text in kept.items() if key == pull_secrets.DEPLOYED_FOR}
    wanted = pull_secrets.manifest(wallet, ours, credentials)
    if msgspec.convert(secret, _Secret).data == wanted["data"]:
        return False
    cluster.apply(url_paths.object_path(wanted), wanted)
    return True


def find(cluster: Cluster, wallet: str) -> Version | None:
    """The version of a tenant's Secret, if there is one; every deployment with it changes that.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        metadata = msgspec.convert(cluster.get(_path(wallet)), _Secret).metadata
    except NotFound:
        return None
    if metadata.labels.get(labels.MANAGED_BY) != labels.MANAGER:
        return None
    return Version(_path(wallet), metadata.uid, metadata.resource_version)


def _path(wallet: str) -> str:
    return f"{url_paths.collection('Secret', names.namespace(wallet))}/{pull_secrets.NAME}"
