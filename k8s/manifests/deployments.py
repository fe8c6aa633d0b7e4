"""The pods of a task: one Deployment for each component, and how they may be taken down."""

from collections.abc import Mapping
from typing import Any

from k8s.api.errors import Unsupported
from k8s.inventory.nodes import GPU_TAINT
from k8s.manifests import model_downloads, pull_secrets, volumes
from k8s.manifests.scope import Manifest, Scope
from k8s.naming import labels, names
from k8s.workload import Component, Container, Port

LOCAL = "127.0.0.1"
PROBE_PERIOD_SECONDS = 5
PROBE_TIMEOUT_SECONDS = 5
COMMAND_TIMEOUT_SECONDS = 15
PRE_STOP_SECONDS = 3

_PREFERENCE = 100
_GPU_TOLERATIONS = [{"key": GPU_TAINT, "operator": "Exists"}]
_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def deployments(frame: Scope, addresses: Mapping[str, str]) -> list[Manifest]:
    """One Deployment for each component.

    Args:
        frame: The task.
        addresses: Name of a Kubernetes Service → its ClusterIP, as far as they are known.
    """
    return [_deployment(frame, component, addresses) for component in frame.workload.components]


def disruption_budgets(frame: Scope) -> list[Manifest]:
    """One PodDisruptionBudget for each component that has replicas to spare."""
    return [
        frame.fill(
            "pod-disruption-budget",
            names.object_name("pdb", frame.workload.space_uuid, frame.word(component)),
            component,
            component.name,
            selector=frame.selector(component),
        )
        for component in frame.workload.components
        if component.replicas > 1
    ]


def _deployment(frame: Scope, component: Component, addresses: Mapping[str, str]) -> Manifest:
    claims = any(volume.kind == "claim" for volume in component.volumes)
    selector, affinity = _nodes(component)
    return frame.fill(
        "deployment",
        names.object_name("deploy", frame.workload.space_uuid, frame.word(component)),
        component,
        component.name,
        replicas=component.replicas,
        selector=frame.selector(component),
        strategy={"type": "Recreate"} if claims else _ROLLING,
        pod_labels=frame.labels(component) | {labels.REVISION: str(frame.workload.revision)},
        runtime_class=frame.capabilities.runtime_class or None,
        host_aliases=_host_aliases(frame, component, addresses) or None,
        node_selector=selector,
        affinity=affinity,
        tolerations=_GPU_TOLERATIONS if _needs_gpus(component) else None,
        pull_secrets=[{"name": pull_secrets.NAME}] if _is_private(frame, component) else None,
        init_containers=model_downloads.init_containers(frame, component) or None,
        containers=[_container(frame, component, one) for one in component.containers],
        volumes=volumes.volumes(frame, component) or None,
    )


def _host_aliases(
    frame: Scope, component: Component, addresses: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The task's services by the names in the file, beside their safe spelling."""
    found: dict[str, list[str]] = {}
    for owner, container in frame.services():
        address = addresses.get(frame.service_name(container.name))
        if owner is component:
            address = LOCAL
        if not address:
            continue
        known = found.setdefault(address, [])
        spellings = container.name, container.name.lower(), names.dns_label(container.name)
        known += [one for one in dict.fromkeys(spellings) if names.is_host(one)]
    return [{"ip": ip, "hostnames": hosts} for ip, hosts in found.items()]


def _nodes(component: Component) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """The node selector and the affinity: for the GPUs that the pod needs, and where it may be."""
    selector, required = _gpu_nodes(component)
    preferred = [
        {"weight": _PREFERENCE, "preference": {"matchFields": [_is_named(name)]}}
        for name in component.nodes
    ]
    rules = {
        "requiredDuringSchedulingIgnoredDuringExecution": required,
        "preferredDuringSchedulingIgnoredDuringExecution": preferred,
    }
    rules = {key: value for key, value in rules.items() if value}
    return selector, {"nodeAffinity": rules} if rules else None


def _is_private(frame: Scope, component: Component) -> bool:
    return pull_secrets.needs(frame.workload, component, frame.capabilities)


def _needs_gpus(component: Component) -> bool:
    return any(container.resources.gpu for container in component.containers)


def _is_named(node: str) -> dict[str, Any]:
    return {"key": "metadata.name", "operator": "In", "values": [node]}


def _gpu_nodes(component: Component) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """A node selector for one GPU model, or the node selector terms for several."""
    wanted = [
        set(container.resources.gpu.models)
        for container in component.containers
        if container.resources.gpu and container.resources.gpu.models
    ]
    if not wanted:
        return None, None
    where = f"services.{component.name}"
    models = sorted(set.intersection(*wanted))
    if not models:
        raise Unsupported(where, "services in one pod need GPUs of different models")
    for model in models:
        if not names.is_label_key(model):
            raise Unsupported(where, f"{model!r} is no GPU model")
    if len(models) == 1:
        return {models[0]: "true"}, None
    terms = [
        {"matchExpressions": [{"key": model, "operator": "In", "values": ["true"]}]}
        for model in models
    ]
    return None, {"nodeSelectorTerms": terms}


def _container(frame: Scope, component: Component, container: Container) -> dict[str, Any]:
    return frame.templates.fill(
        "container",
        {
            "name": names.dns_label(container.name),
            "image": container.image,
            "command": list(container.command) or None,
            "args": list(container.args) or None,
            "env": _env(frame, container),
            "ports": _ports(component, container) or None,
            "resources": _resources(container),
            "readiness_probe": _readiness(container),
            "lifecycle": _farewell(container),
            "volume_mounts": volumes.mounts(component, container) or None,
        },
    )


def _env(frame: Scope, container: Container) -> list[dict[str, str]]:
    workload = frame.workload
    ours = {
        "space_uuid": workload.space_uuid,
        "space_name": workload.space_name,
        "result_url": workload.result_url,
        "job_uuid": workload.task_id,
        "wallet_address": workload.wallet,
    }
    return [{"name": name, "value": value} for name, value in (dict(container.env) | ours).items()]


def _ports(component: Component, container: Container) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for port in sorted(container.ports, key=_is_addressed, reverse=True):
        found.setdefault((port.number, port.protocol), _port(component, port))
    return list(found.values())


def _is_addressed(port: Port) -> bool:
    return port.public == "address"


def _port(component: Component, port: Port) -> dict[str, Any]:
    name = f"{port.protocol.lower()}-{port.number}"
    if _is_addressed(port):
        name = names.endpoint_port(component.name, port.number, port.protocol)
    return {"name": name, "containerPort": port.number, "protocol": port.protocol}


def _resources(container: Container) -> dict[str, str]:
    resources = container.resources
    found = {
        "cpu": f"{resources.cpu_millis}m",
        "memory": str(resources.memory_bytes),
        "ephemeral-storage": str(resources.storage_bytes),
    }
    return found | ({"nvidia.com/gpu": str(resources.gpu.count)} if resources.gpu else {})


def _readiness(container: Container) -> dict[str, Any] | None:
    timing = {"periodSeconds": PROBE_PERIOD_SECONDS, "timeoutSeconds": PROBE_TIMEOUT_SECONDS}
    if container.ready_command:
        command = {"exec": {"command": list(container.ready_command)}}
        return {**command, **timing, "timeoutSeconds": COMMAND_TIMEOUT_SECONDS}
    first = next((port.number for port in container.ports if port.protocol == "TCP"), None)
    return None if first is None else {"tcpSocket": {"port": first}, **timing}


def _farewell(container: Container) -> dict[str, Any] | None:
    """What is routed to the old pod while routes change to the new one is still answered."""
    if not any(port.public for port in container.ports):
        return None
    return {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}
