"""Proofs: Kubernetes Jobs in a namespace of ours, bounded, cut off from everything, and removed."""

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
from k8s.policy.violation import require

NAMESPACE = "computing-provider-proof"
PROOF = "lagrangedao.org/proof"
SECONDS = 240
LEFT_BEHIND = timedelta(minutes=15)
_MAX_LOG_LINES = 10_000
_MAX_LOG_CHARACTERS = 256 << 10
_NAMED = "proof"
_JOB_KEYS = {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "template"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofJob:
    """What is to be proven; `id` is a DNS label of at most 50 characters."""

    id: str
    image: str
    method: str
    block_data: str
    exp: int
    runtime_class: str = ""

    @property
    def name(self) -> str:
        """The Job's."""
        return f"proof-{self.id}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a proof ended.

    Attributes:
        succeeded: Whether its container did.
        message: Why it did not.
        log: What it wrote; the end of it when that is long.
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
        cluster: Where.
        order: What is to be proven.
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
    for key in spec:
        require(key in _JOB_KEYS, job, f"spec.{key} is not allowed")
    place = job.get("metadata", {}).get("namespace")
    require(place == NAMESPACE, job, f"has to be in the namespace {NAMESPACE}")
    deadline = spec.get("activeDeadlineSeconds", 0)
    require(0 < deadline <= SECONDS, job, f"has to end within {SECONDS} s")
    pod_policy.check(job, spec.get("template", {}).get("spec", {}))


def look(cluster: Cluster, order_id: str) -> Outcome | None:
    """How a proof ended; None while it has not.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    try:
        found = msgspec.convert(cluster.get(_path(order_id)), _Job)
    except NotFound:
        return Outcome(succeeded=False, message="it was removed before it ended")
    for condition in found.status.conditions or ():
        if condition.status == "True" and condition.type in {"Complete", "Failed"}:
            return Outcome(
                succeeded=condition.type == "Complete",
                message=condition.message or condition.reason,
                log=_log(cluster, order_id),
            )
    return None


def _log(cluster: Cluster, order_id: str) -> str:
    """What its pod wrote; empty when the pod is gone, or never ran."""
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
    """Remove proofs that nobody has removed.

    Raises:
        ClusterError: The API server is away, or refuses.
    """
    oldest = (now or datetime.now(UTC)) - LEFT_BEHIND
    try:
        found = cluster.list(url_paths.collection("Job", NAMESPACE), selector=PROOF)
    except NotFound:  # A cluster without Jobs.
        return
    for one in found:
        job = msgspec.convert(one, _Job)
        born = job.metadata.creation_timestamp
        if born is not None and born < oldest:
            try:
                cluster.delete(url_paths.object_path(one), uid=job.metadata.uid)
            except Conflict:
                continue


def _path(order_id: str) -> str:
    return f"{url_paths.collection('Job', NAMESPACE)}/proof-{order_id}"
