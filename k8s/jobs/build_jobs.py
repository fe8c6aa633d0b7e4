"""Builds on the cluster: started, taken up again, and removed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import Conflict, NotFound
from k8s.api.objects import Object, Part
from k8s.jobs import build as orders
from k8s.jobs import build_policy
from k8s.jobs.build import (
    BUILD,
    NAMESPACE,
    BuildJob,
    path,
)
from k8s.manifests.templates import Templates
from k8s.naming import names

LEFT_BEHIND = timedelta(hours=1)


class _JobSpec(Part, frozen=True, kw_only=True):
    suspend: bool = False


class _Job(Object, frozen=True, kw_only=True):
    spec: _JobSpec = _JobSpec()


def is_under_way(cluster: Cluster, job: str) -> bool:
    """Tell whether a Job is running its course; one that was made and never started is removed.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        live = msgspec.convert(cluster.get(path(job)), _Job)
    except NotFound:
        return False
    if live.deleting or live.spec.suspend:
        remove(cluster, job)
        return False
    return True


def start(cluster: Cluster, order: BuildJob, *, overrides: Path | None = None) -> None:
    """Have the cluster build; after an error, `remove` takes away what was made.

    The Job waits until there are the credentials, which it owns.

    Args:
        cluster: The operator's.
        order: The build.
        overrides: The operator's folder of templates, or None.

    Raises:
        ClusterError: The API server is away, or refuses.
        TemplateError, Violation: The operator's template is none, or weakens the isolation.
    """
    templates = Templates(overrides)
    waiting = orders.job(order, templates, suspended=True)
    build_policy.check(waiting, order)
    for manifest in orders.place(order, templates):
        cluster.apply(url_paths.object_path(manifest), manifest)
    uid = cluster.apply(url_paths.object_path(waiting), waiting)["metadata"]["uid"]
    secret = orders.secret(order, uid)
    cluster.apply(url_paths.object_path(secret), secret)
    started = orders.job(order, templates, suspended=False)
    cluster.apply(url_paths.object_path(started), started)


def remove(cluster: Cluster, job: str) -> None:
    """Remove a build with its pod and its credentials; one that is gone is removed.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    cluster.delete(path(job))


def remove_of(cluster: Cluster, task_id: str, *, but: str = "") -> None:
    """Remove a task's builds, but for the one of this name.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    for job in _jobs(cluster, f"{BUILD}={names.label_value(task_id)}"):
        if job.metadata.name != but:
            remove(cluster, job.metadata.name)


def remove_old(cluster: Cluster, *, seconds: float, now: datetime | None = None) -> None:
    """Garbage-collect builds that were left behind, of those that may take so many seconds.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    oldest = (now or datetime.now(UTC)) - timedelta(seconds=seconds) - LEFT_BEHIND
    for job in _jobs(cluster, BUILD):
        born = job.metadata.creation_timestamp
        if born is not None and born < oldest:
            with suppress(Conflict):
                cluster.delete(path(job.metadata.name), uid=job.metadata.uid)


def _jobs(cluster: Cluster, selector: str) -> list[_Job]:
    try:
        jobs = cluster.list(url_paths.collection("Job", NAMESPACE), selector=selector)
    except NotFound:  # A cluster without Jobs.
        return []
    return msgspec.convert(jobs, list[_Job])
