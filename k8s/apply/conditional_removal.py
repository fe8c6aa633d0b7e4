"""Removal of an object on condition that nobody has changed it since it was read."""

from dataclasses import dataclass

from k8s.api.client import Cluster
from k8s.api.errors import Conflict


@dataclass(frozen=True, slots=True)
class Version:
    """One object in one state: its path, its uid and its resource version."""

    path: str
    uid: str
    resource_version: str


def remove(cluster: Cluster, version: Version) -> bool:
    """Remove an object that is as it was read; False when it has changed since.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        cluster.delete(version.path, uid=version.uid, version=version.resource_version)
    except Conflict:
        return False
    return True
