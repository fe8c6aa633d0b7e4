"""What the Job of a build has to keep to, whatever template it came from."""

from collections.abc import Mapping
from typing import Any

from k8s.jobs.build import DAEMON, NAMESPACE, BuildJob
from k8s.policy.violation import require

_JOB_KEYS = {
    "suspend",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "template",
}
_POD_KEYS = {
    "affinity",
    "automountServiceAccountToken",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostUsers",
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
_VOLUME_KINDS = {"configMap", "emptyDir", "secret"}
_CAPABILITIES = {"SETGID", "SETUID"}
_LIMITED = ("cpu", "memory", "ephemeral-storage")
Part = Mapping[str, Any]


def check(job: Part, order: BuildJob) -> None:
    """Raise `Violation` unless the Job ends, is bounded, and has nothing of its node or of ours."""
    spec = job.get("spec", {})
    _only(job, spec, _JOB_KEYS)
    place = job.get("metadata", {}).get("namespace")
    require(place == NAMESPACE, job, f"has to be in the namespace {NAMESPACE}")
    deadline = spec.get("activeDeadlineSeconds", 0)
    require(0 < deadline <= order.seconds, job, f"has to end within {order.seconds} s")
    require(spec.get("backoffLimit") == 0, job, "may not be tried again")
    pod = spec.get("template", {}).get("spec", {})
    _only(job, pod, _POD_KEYS)
    token = pod.get("automountServiceAccountToken")
    require(token is False, job, "automountServiceAccountToken has to be false")
    user = pod.get("securityContext", {})
    require(user.get("runAsNonRoot") is True, job, "runAsNonRoot has to be true")
    for volume in pod.get("volumes", ()):
        kinds = set(volume) - {"name"}
        require(kinds <= _VOLUME_KINDS, job, f"volumes may be {', '.join(sorted(_VOLUME_KINDS))}")
    secret = {one["name"] for one in pod.get("volumes", ()) if "secret" in one}
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        _container(job, container, secret)


def _only(job: Part, part: Part, allowed: set[str]) -> None:
    for key in part:
        require(key in allowed, job, f"{key} is not allowed")


def _container(job: Part, container: Part, secret: set[str]) -> None:
    context = container.get("securityContext", {})
    require(not context.get("privileged"), job, "no container may be privileged")
    require("procMount" not in context, job, "procMount is not allowed")
    require(context.get("runAsUser") != 0, job, "no container may run as root")
    capabilities = context.get("capabilities", {})
    added = set(capabilities.get("add", ()))
    require(added <= _CAPABILITIES, job, "no capability but SETGID and SETUID may be added")
    require("ALL" in capabilities.get("drop", ()), job, "all capabilities have to be dropped")
    limits = container.get("resources", {}).get("limits", {})
    for resource in _LIMITED:
        require(resource in limits, job, f"a limit on {resource} is missing")
    if container.get("name") == DAEMON:
        mounted = {one.get("name") for one in container.get("volumeMounts", ())}
        require(not mounted & secret, job, f"{DAEMON} may have no secret")
        require(not _takes_secrets(container), job, f"{DAEMON} may have no secret")


def _takes_secrets(container: Part) -> bool:
    from_ = any("valueFrom" in one for one in container.get("env", ()))
    return from_ or bool(container.get("envFrom"))
