"""Proofs: Kubernetes Jobs in a namespace of ours, bounded, cut off from everything, and removed."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import Conflict, NotFound, Refused
from k8s.api.objects import Condition, Object, Part
from k8s.manifests import tenant
from k8s.manifests.templates import Templates
from k8s.naming import labels
from k8s.policy import pod as pod_policy
from k8s.policy.violation import JOB_KEYS, require_bounded, require_only

NAMESPACE = "computing-provider-proof"
PROOF = "lagrangedao.org/proof"
SECONDS = 240
LEFT_BEHIND = timedelta(minutes=15)
_MAX_LOG_LINES = 10_000
_MAX_LOG_CHARACTERS = 256 << 10
_NAMED = "proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofJob:
    """A proof that was ordered; `id` is a DNS label of at most 50 characters."""

    id: str
    image: str
    method: str
    block_data: str
    exp: int
    runtime_class: str = ""

    @property
    def name(self) -> str:
        """The Job's name."""
        return f"proof-{self.id}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a proof.

    Attributes:
        succeeded: Whether its container succeeded.
        message: The reason if it did not.
        log: Its output; the end of it when that is long.
    """

    succeeded: bool
    message: str = ""
    log: str = ""


class _JobStatus(Part, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] | None = None


class _Job(Object, frozen=True, kw_only=True):
    status: _JobStatus = _JobStatus()


def start(cluster: Cluster, order: ProofJob, *, overrides: Path | None = None) -> None:
    """Have the cluster run a proof; the same one again changes nothing.

    Args:
        cluster: The operator's.
        order: The proof.
        overrides: The operator's folder of templates, or None.

    Raises:
        ClusterError: The API server is away, or refuses.
        TemplateError, Violation: The operator's template is none, or weakens the isolation.
    """
    templates = Templates(overrides)
    place = {"namespace": NAMESPACE, "labels": _labels()}
    restricted = dict.fromkeys(tenant.POD_SECURITY, "restricted")
    job = templates.fill("proof-job", _values(order))
    _check(job)
    for manifest in (
        templates.fill("namespace", place | {"labels": _labels() | restricted}),
        templates.fill(tenant.DEFAULT_DENY, place),
        job,
    ):
        cluster.apply(url_paths.object_path(manifest), manifest)


def _labels() -> dict[str, str]:
    return {labels.PART_OF: labels.MARKET, labels.NAME: _NAMED}


def _values(order: ProofJob) -> dict[str, Any]:
    return {
        "name": order.name,
        "namespace": NAMESPACE,
        "labels": _labels() | {PROOF: order.id},
        "seconds": SECONDS,
        "runtime_class": order.runtime_class or None,
        "image": order.image,
        "method": order.method,
        "block_data": order.block_data.replace("$", "$$"),  # Or `$(METHOD)` would be looked up.
        "exp": str(order.exp),
    }


def _check(job: dict[str, Any]) -> None:
    """An operator's template keeps to what tenants' pods have to keep to, and to an end."""
    spec = job.get("spec", {})
    require_only(job, spec, JOB_KEYS, "spec")
    require_bounded(job, namespace=NAMESPACE, seconds=SECONDS)
    pod_policy.check(job, spec.get("template", {}).get("spec", {}))


def look(cluster: Cluster, order_id: str) -> Outcome | None:
    """The outcome of a proof; None while it has not ended.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        job = msgspec.convert(cluster.get(_path(order_id)), _Job)
    except NotFound:
        return Outcome(succeeded=False, message="it was removed before it ended")
    for condition in job.status.conditions or ():
        if condition.status == "True" and condition.type in {"Complete", "Failed"}:
            return Outcome(
                succeeded=condition.type == "Complete",
                message=condition.message or condition.reason,
                log=_log(cluster, order_id),
            )
    return None


def _log(cluster: Cluster, order_id: str) -> str:
    """The log of its pod; empty when the pod is gone, or never ran."""
    selector = f"{PROOF}={order_id}"
    for pod in cluster.list(url_paths.collection("Pod", NAMESPACE), selector=selector):
        try:
            text = cluster.log(
                url_paths.object_path({"kind": "Pod", **pod}), tail_lines=_MAX_LOG_LINES
            )
        except Refused:
            continue
        return text[-_MAX_LOG_CHARACTERS:]
    return ""


def remove(cluster: Cluster, order_id: str) -> None:
    """Remove a proof with its pod; one that is gone is removed.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    cluster.delete(_path(order_id))


def remove_old(cluster: Cluster, *, now: datetime | None = None) -> None:
    """Garbage-collect proofs that were left behind.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    oldest = (now or datetime.now(UTC)) - LEFT_BEHIND
    try:
        listed = cluster.list(url_paths.collection("Job", NAMESPACE), selector=PROOF)
    except NotFound:  # A cluster without Jobs.
        return
    for job in msgspec.convert(listed, list[_Job]):
        born = job.metadata.creation_timestamp
        if born is not None and born < oldest:
            with suppress(Conflict):
                path = f"{url_paths.collection('Job', NAMESPACE)}/{job.metadata.name}"
                cluster.delete(path, uid=job.metadata.uid)


def _path(order_id: str) -> str:
    return f"{url_paths.collection('Job', NAMESPACE)}/proof-{order_id}"
