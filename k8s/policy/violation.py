"""Broken rules, and the rules that tenants' pods and our own Jobs share."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

# Each container needs a limit on all of these.
_LIMITED = ("cpu", "memory", "ephemeral-storage")
# Keys that the spec of any pod may have.
POD_KEYS = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "hostAliases",
        "imagePullSecrets",
        "initContainers",
        "nodeSelector",
        "priorityClassName",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "securityContext",
        "terminationGracePeriodSeconds",
        "tolerations",
        "volumes",
    }
)
# Keys that the spec of any Job may have.
JOB_KEYS = frozenset(
    {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "template"}
)

Manifest = Mapping[str, Any]
Part = Mapping[str, Any]


class Violation(Exception):
    """A rendered object breaks a rule.

    Attributes:
        object: `Kind/name`.
        rule: What it would have to be.
    """

    def __init__(self, object_: str, rule: str) -> None:
        super().__init__(f"{object_}: {rule}")
        self.object = object_
        self.rule = rule


def require(holds: bool, manifest: Manifest, rule: str) -> None:  # noqa: FBT001 - reads as an assertion.
    """Raise `Violation` of `manifest` unless the rule holds."""
    if not holds:
        name = manifest.get("metadata", {}).get("name", "")
        raise Violation(f"{manifest.get('kind', '')}/{name}", rule)


def require_only(manifest: Manifest, part: Part, allowed: AbstractSet[str], place: str) -> None:
    """Raise `Violation` of `manifest` unless its part at `place` has allowed keys alone."""
    for key in part:
        require(key in allowed, manifest, f"{place}.{key} is not allowed")


def require_limits(manifest: Manifest, limits: Part) -> None:
    """Raise `Violation` of `manifest` unless a container's limits are complete."""
    for resource in _LIMITED:
        require(resource in limits, manifest, f"a limit on {resource} is missing")


def require_bounded(job: Manifest, *, namespace: str, seconds: int) -> None:
    """Raise `Violation` of a Job of ours unless it ends in time, in its namespace."""
    place = job.get("metadata", {}).get("namespace")
    require(place == namespace, job, f"has to be in the namespace {namespace}")
    deadline = job.get("spec", {}).get("activeDeadlineSeconds", 0)
    require(0 < deadline <= seconds, job, f"has to end within {seconds} s")
