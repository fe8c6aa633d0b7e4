"""The policy on the Job of a build, whatever template it came from."""

from k8s.jobs.build import DAEMON, NAMESPACE, BuildJob
from k8s.policy.violation import (
    JOB_KEYS,
    POD_KEYS,
    Manifest,
    Part,
    require,
    require_bounded,
    require_limits,
    require_only,
)

_JOB_KEYS = JOB_KEYS | {"suspend"}
_POD_KEYS = POD_KEYS | {"hostUsers"}
_VOLUME_KINDS = {"configMap", "emptyDir", "secret"}
_CAPABILITIES = {"SETGID", "SETUID"}


def check(job: Manifest, order: BuildJob) -> None:
    """Raise `Violation` unless the Job ends, is bounded, and has nothing of its node or of ours."""
    spec = job.get("spec", {})
    require_only(job, spec, _JOB_KEYS, "spec")
    require_bounded(job, namespace=NAMESPACE, seconds=order.seconds)
    require(spec.get("backoffLimit") == 0, job, "may not be tried again")
    pod = spec.get("template", {}).get("spec", {})
    require_only(job, pod, _POD_KEYS, "spec.template.spec")
    token = pod.get("automountServiceAccountToken")
    require(token is False, job, "automountServiceAccountToken has to be false")
    user = pod.get("securityContext", {})
    require(user.get("runAsNonRoot") is True, job, "runAsNonRoot has to be true")
    for volume in pod.get("volumes", ()):
        kinds = set(volume) - {"name"}
        require(kinds <= _VOLUME_KINDS, job, f"volumes may be {', '.join(sorted(_VOLUME_KINDS))}")
    secret = {volume["name"] for volume in pod.get("volumes", ()) if "secret" in volume}
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        _container(job, container, secret)


def _container(job: Manifest, container: Part, secret: set[str]) -> None:
    context = container.get("securityContext", {})
    require(not context.get("privileged"), job, "no container may be privileged")
    require("procMount" not in context, job, "procMount is not allowed")
    require(context.get("runAsUser") != 0, job, "no container may run as root")
    capabilities = context.get("capabilities", {})
    added = set(capabilities.get("add", ()))
    require(added <= _CAPABILITIES, job, "no capability but SETGID and SETUID may be added")
    require("ALL" in capabilities.get("drop", ()), job, "all capabilities have to be dropped")
    require_limits(job, container.get("resources", {}).get("limits", {}))
    if container.get("name") == DAEMON:
        mounted = {mount.get("name") for mount in container.get("volumeMounts", ())}
        require(not mounted & secret, job, f"{DAEMON} may have no secret")
        require(not _takes_secrets(container), job, f"{DAEMON} may have no secret")


def _takes_secrets(container: Part) -> bool:
    variables = container.get("env", ())
    has_reference = any("valueFrom" in variable for variable in variables)
    return has_reference or bool(container.get("envFrom"))
