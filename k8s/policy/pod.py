"""The policy on a tenant's pod: an allow-list of keys, users, volumes and capabilities."""

from k8s.policy.violation import (
    POD_KEYS,
    Manifest,
    Part,
    require,
    require_limits,
    require_only,
)

_POD_KEYS = POD_KEYS | {"topologySpreadConstraints"}
_CONTAINER_KEYS = {
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "terminationMessagePolicy",
    "volumeMounts",
    "workingDir",
}
_USERS = {"runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"}
_POD_SECURITY_KEYS = _USERS | {"fsGroup", "fsGroupChangePolicy", "supplementalGroups"}
_CONTAINER_SECURITY_KEYS = _USERS | {
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
}
_PORT_KEYS = {"name", "containerPort", "protocol"}
_MOUNT_KEYS = {"name", "mountPath", "readOnly", "subPath"}
_VOLUME_KINDS = {"emptyDir", "configMap", "persistentVolumeClaim"}
_GRACE_SECONDS = 120
_RAW_SOCKETS = {"NET_RAW", "ALL"}


def check(manifest: Manifest, pod: Part) -> None:
    """Raise `Violation` of `manifest` unless its pod's spec keeps to every rule."""
    require_only(manifest, pod, _POD_KEYS, "spec.template.spec")
    for key in ("automountServiceAccountToken", "enableServiceLinks"):
        require(pod.get(key) is False, manifest, f"{key} has to be false")
    grace = pod.get("terminationGracePeriodSeconds", 0)
    require(grace <= _GRACE_SECONDS, manifest, f"may end within {_GRACE_SECONDS} s at most")
    _security(manifest, pod.get("securityContext", {}), _POD_SECURITY_KEYS)
    profile = pod.get("securityContext", {}).get("seccompProfile")
    require(profile == {"type": "RuntimeDefault"}, manifest, "seccomp has to be RuntimeDefault")
    for volume in pod.get("volumes", ()):
        _volume(manifest, volume)
    require(bool(pod.get("containers")), manifest, "has no containers")
    every = [*pod.get("initContainers", ()), *pod["containers"]]
    for container in every:
        _container(manifest, container)
    container_names = {container["name"] for container in every}
    require(len(container_names) == len(every), manifest, "two containers have one name")


def _security(manifest: Manifest, context: Part, allowed: set[str]) -> None:
    require_only(manifest, context, allowed, "securityContext")
    profile = context.get("seccompProfile", {"type": "RuntimeDefault"})
    require(profile == {"type": "RuntimeDefault"}, manifest, "seccomp has to be RuntimeDefault")


def _volume(manifest: Manifest, volume: Part) -> None:
    kinds = set(volume) - {"name"}
    require(
        len(kinds) == 1 and kinds <= _VOLUME_KINDS,
        manifest,
        f"volumes may be {', '.join(sorted(_VOLUME_KINDS))}",
    )
    if "emptyDir" in volume:
        require("sizeLimit" in volume["emptyDir"], manifest, "an emptyDir has to have a sizeLimit")


def _container(manifest: Manifest, container: Part) -> None:
    require_only(manifest, container, _CONTAINER_KEYS, "container")
    context = container.get("securityContext", {})
    _security(manifest, context, _CONTAINER_SECURITY_KEYS)
    escalation = context.get("allowPrivilegeEscalation")
    require(escalation is False, manifest, "allowPrivilegeEscalation has to be false")
    capabilities = context.get("capabilities", {})
    require(not capabilities.get("add"), manifest, "no capability may be added")
    dropped = _RAW_SOCKETS.intersection(capabilities.get("drop", ()))
    require(bool(dropped), manifest, "the capability NET_RAW has to be dropped")
    lifecycle = container.get("lifecycle", {})
    require_only(manifest, lifecycle, {"preStop"}, "container.lifecycle")
    require_only(manifest, lifecycle.get("preStop", {}), {"sleep"}, "container.lifecycle.preStop")
    for port in container.get("ports", ()):
        require_only(manifest, port, _PORT_KEYS, "container.ports")
    for mount in container.get("volumeMounts", ()):
        require_only(manifest, mount, _MOUNT_KEYS, "container.volumeMounts")
    for variable in container.get("env", ()):
        require_only(manifest, variable, {"name", "value"}, "container.env")
    _limits(manifest, container.get("resources", {}))


def _limits(manifest: Manifest, resources: Part) -> None:
    limits = resources.get("limits", {})
    require_limits(manifest, limits)
    require(resources.get("requests") == limits, manifest, "requests have to be the limits")
