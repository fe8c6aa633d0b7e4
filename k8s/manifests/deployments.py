"""Deployments of a task, one for each component, and their PodDisruptionBudgets."""

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
EXEC_PROBE_TIMEOUT_SECONDS = 15
PRE_STOP_SECONDS = 3

_PREFERENCE = 100
_GPU_TOLERATIONS = [{"key": GPU_TAINT, "operator": "Exists"}]
_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def deployments(scope: Scope, addresses: Mapping[str, str]) -> list[Manifest]:
    """Build one Deployment for each component.

    Args:
        scope: The scope of the task.
        addresses: Name of a Kubernetes Service → its ClusterIP, as far as known.
    """
    return [_deployment(scope, component, addresses) for component in scope.workload.components]


def disruption_budgets(scope: Scope) -> list[Manifest]:
    """Build one PodDisruptionBudget for each component with more than one replica."""
    return [
        scope.fill(
            "pod-disruption-budget",
            names.object_name("pdb", scope.workload.space_uuid, scope.name_part(component)),
            component,
            component.name,
            selector=scope.selector(component),
        )
        for component in scope.workload.components
        if component.replicas > 1
    ]


def _deployment(scope: Scope, component: Component, addresses: Mapping[str, str]) -> Manifest:
    claims = any(volume.kind == "claim" for volume in component.volumes)
    selector, affinity = _nodes(component)
    return scope.fill(
        "deployment",
        names.object_name("deploy", scope.workload.space_uuid, scope.name_part(component)),
        component,
        component.name,
        replicas=component.replicas,
        selector=scope.selector(component),
        strategy={"type": "Recreate"} if claims else _ROLLING,
        pod_labels=scope.labels(component) | {labels.REVISION: str(scope.workload.revision)},
        runtime_class=scope.capabilities.runtime_class or None,
        host_aliases=_host_aliases(scope, component, addresses) or None,
        node_selector=selector,
        affinity=affinity,
        tolerations=_GPU_TOLERATIONS if _needs_gpus(component) else None,
        pull_secrets=[{"name": pull_secrets.NAME}] if _is_private(scope, component) else None,
        init_containers=model_downloads.init_containers(scope, component) or None,
        containers=[_container(scope, component, c) for c in component.containers],
        volumes=volumes.volumes(scope, component) or None,
    )


def _host_aliases(
    scope: Scope, component: Component, addresses: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Map addresses to the task's services, by their names in the file and as DNS labels."""
    hosts: dict[str, list[str]] = {}
    for owner, container in scope.services():
        address = addresses.get(scope.service_name(container.name))
        if owner is component:
            address = LOCAL
        if not address:
            continue
        hostnames = hosts.setdefault(address, [])
        spellings = container.name, container.name.lower(), names.dns_label(container.name)
        hostnames += [name for name in dict.fromkeys(spellings) if names.is_host(name)]
    return [{"ip": ip, "hostnames": hostnames} for ip, hostnames in hosts.items()]


def _nodes(component: Component) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """Return node selector and affinity: for the GPUs that the pod needs, and its nodes."""
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


def _is_private(scope: Scope, component: Component) -> bool:
    return pull_secrets.needs(scope.workload, component, scope.capabilities)


def _needs_gpus(component: Component) -> bool:
    return any(container.resources.gpu for container in component.containers)


def _is_named(node: str) -> dict[str, Any]:
    return {"key": "metadata.name", "operator": "In", "values": [node]}


def _gpu_nodes(component: Component) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """Return a node selector for one GPU model, or node selector terms for several."""
    requested = [
        set(container.resources.gpu.models)
        for container in component.containers
        if container.resources.gpu and container.resources.gpu.models
    ]
    if not requested:
        return None, None
    path = f"services.{component.name}"
    models = sorted(set.intersection(*requested))
    if not models:
        raise Unsupported(path, "services in one pod need GPUs of different models")
    for model in models:
        if not names.is_label_key(model):
            raise Unsupported(path, f"{model!r} is not a GPU model")
    if len(models) == 1:
        return {models[0]: "true"}, None
    terms = [
        {"matchExpressions": [{"key": model, "operator": "In", "values": ["true"]}]}
        for model in models
    ]
    return None, {"nodeSelectorTerms": terms}


def _container(scope: Scope, component: Component, container: Container) -> dict[str, Any]:
    return scope.templates.fill(
        "container",
        {
            "name": names.dns_label(container.name),
            "image": container.image,
            "command": list(container.command) or None,
            "args": list(container.args) or None,
            "env": _env(scope, container),
            "ports": _ports(component, container) or None,
            "resources": _resources(container),
            "readiness_probe": _readiness(container),
            "lifecycle": _pre_stop(container),
            "volume_mounts": volumes.mounts(component, container) or None,
        },
    )


def _env(scope: Scope, container: Container) -> list[dict[str, str]]:
    workload = scope.workload
    provided = {
        "space_uuid": workload.space_uuid,
        "space_name": workload.space_name,
        "result_url": workload.result_url,
        "job_uuid": workload.task_id,
        "wallet_address": workload.wallet,
    }
    return [
        {"name": name, "value": value} for name, value in (dict(container.env) | provided).items()
    ]


def _ports(component: Component, container: Container) -> list[dict[str, Any]]:
    ports: dict[tuple[int, str], dict[str, Any]] = {}
    for port in sorted(container.ports, key=_is_addressed, reverse=True):
        ports.setdefault((port.number, port.protocol), _port(component, port))
    return list(ports.values())


def _is_addressed(port: Port) -> bool:
    return port.public == "address"


def _port(component: Component, port: Port) -> dict[str, Any]:
    name = f"{port.protocol.lower()}-{port.number}"
    if _is_addressed(port):
        name = names.endpoint_port(component.name, port.number, port.protocol)
    return {"name": name, "containerPort": port.number, "protocol": port.protocol}


def _resources(container: Container) -> dict[str, str]:
    resources = container.resources
    amounts = {
        "cpu": f"{resources.cpu_millis}m",
        "memory": str(resources.memory_bytes),
        "ephemeral-storage": str(resources.storage_bytes),
    }
    return amounts | ({"nvidia.com/gpu": str(resources.gpu.count)} if resources.gpu else {})


def _readiness(container: Container) -> dict[str, Any] | None:
    timing = {"periodSeconds": PROBE_PERIOD_SECONDS, "timeoutSeconds": PROBE_TIMEOUT_SECONDS}
    if container.ready_command:
        command = {"exec": {"command": list(container.ready_command)}}
        return {**command, **timing, "timeoutSeconds": EXEC_PROBE_TIMEOUT_SECONDS}
    first = next((port.number for port in container.ports if port.protocol == "TCP"), None)
    return None if first is None else {"tcpSocket": {"port": first}, **timing}


def _pre_stop(container: Container) -> dict[str, Any] | None:
    """Delay the stop of an old pod: requests reach it until routes have changed to the new one."""
    if not any(port.public for port in container.ports):
        return None
    return {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}
