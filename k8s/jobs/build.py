"""The Job that builds an image with rootless BuildKit, and the objects around it.

Steps of a stranger's Dockerfile run in a user namespace, in a container that never has the
registry's credentials in its file system. The files come from the registry, and the image goes
there, so that a Job is taken up again by whoever looks for it.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from k8s.api import url_paths
from k8s.manifests import network_policies, networks
from k8s.manifests.templates import Templates
from k8s.manifests.tenant import DEFAULT_DENY
from k8s.naming import labels, names
from k8s.workload import Capabilities

NAMESPACE = "computing-provider-build"
BUILD = "lagrangedao.org/build"  # The task, which pods of its workload have under another label.
CLIENT = "build"
DAEMON = "buildkitd"
_NAMED = "build"
_DIGITS = 16
_CLIENT = {"cpu": "200m", "memory": str(256 << 20)}
_SLACK_BYTES = 64 << 20
# Pod Security knows no level for rootless BuildKit but the lowest; `build_policy` is stricter.
_POD_SECURITY = {"pod-security.kubernetes.io/enforce": "privileged"}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """Bounds of one build.

    Attributes:
        seconds: From its first step until it is pushed.
        memory_bytes: Of its steps together where the builder can, of each process in any case.
        cores: CPU of its steps; a fraction counts.
        disk_bytes: Of everything that it stores, base images included.
    """

    seconds: float
    memory_bytes: int
    cores: float
    disk_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """A build.

    Attributes:
        task_id: The task that it belongs to.
        digest: Of the files that it is built from, hexadecimal.
        builder: The image of rootless BuildKit.
        context_image: The image that holds `context.tar`, by digest.
        context_bytes: The size of that file.
        dockerfile: The Dockerfile's name in it.
        image: The name that is pushed.
        registry: Its host, with its port.
        plain_http: It has no TLS.
        addresses: Its addresses and its port.
        docker_config: A `config.json` with its credentials.
        network: Reach of the steps: nothing, the public internet, or what pods can.
        limits: Of BuildKit and the steps together.
        capabilities: The cluster's networks, which steps do not reach, and its RuntimeClass.
    """

    task_id: str
    digest: str
    builder: str
    context_image: str
    context_bytes: int
    dockerfile: str
    image: str
    registry: str
    plain_http: bool
    addresses: tuple[tuple[str, int], ...]
    docker_config: bytes = field(repr=False)
    network: Literal["none", "private", "host"]
    limits: BuildLimits
    capabilities: Capabilities

    @property
    def name(self) -> str:
        """The Job's name."""
        return name(self.task_id, self.digest)

    @property
    def seconds(self) -> int:
        """The Job's deadline."""
        return max(1, round(self.limits.seconds))


def name(task_id: str, digest: str) -> str:
    """The name of the Job that builds these files for this task."""
    return names.dns_label(f"build-{task_id}-{digest[:_DIGITS]}")


def path(job: str) -> str:
    """The path of a Job."""
    return f"{url_paths.collection('Job', NAMESPACE)}/{job}"


def place(order: BuildJob, templates: Templates) -> Iterator[Manifest]:
    """Yield the objects that all builds share: the namespace and its network policies."""
    common = {"namespace": NAMESPACE, "labels": _labels()}
    yield templates.fill("namespace", common | {"labels": _labels() | _POD_SECURITY})
    yield templates.fill(DEFAULT_DENY, common)
    yield _network(templates, order)


def job(order: BuildJob, templates: Templates, *, suspended: bool) -> Manifest:
    """The Job."""
    return templates.fill("build-job", _values(order) | {"suspended": suspended})


def _labels() -> dict[str, str]:
    return {
        labels.PART_OF: labels.MARKET,
        labels.MANAGED_BY: labels.MANAGER,
        labels.NAME: _NAMED,
    }


def _own_labels(order: BuildJob) -> dict[str, str]:
    return _labels() | {BUILD: names.label_value(order.task_id)}


def _values(order: BuildJob) -> dict[str, Any]:
    work_bytes = 2 * order.context_bytes + _SLACK_BYTES
    return {
        "name": order.name,
        "namespace": NAMESPACE,
        "labels": _own_labels(order),
        "seconds": order.seconds,
        "runtime_class": order.capabilities.runtime_class or None,
        "builder": order.builder,
        "configuration": _configuration(order),
        "parcel": order.context_image,
        "dockerfile": order.dockerfile.replace("$", "$$"),  # Or `$(IMAGE)` would be looked up.
        "image": order.image,
        "options": "--opt=force-network-mode=none" if order.network == "none" else "",
        "resources": {
            "cpu": f"{max(1, round(order.limits.cores * 1000))}m",
            "memory": str(order.limits.memory_bytes),
            "ephemeral-storage": str(order.limits.disk_bytes),
        },
        "client_resources": _CLIENT | {"ephemeral-storage": str(work_bytes)},
        "disk": str(order.limits.disk_bytes),
        "work": str(work_bytes),
    }


def _configuration(order: BuildJob) -> str:
    """BuildKit's configuration: strangers choose no frontend for their Dockerfile (`# syntax=`)."""
    plain = f'[registry."{order.registry}"]\nhttp = true\n' if order.plain_http else ""
    return f'{plain}[frontend."gateway.v0"]\nenabled = false\n'


def secret(order: BuildJob, uid: str) -> Manifest:
    """The Secret with the credentials, which is garbage-collected with the Job."""
    owner = {
        "apiVersion": url_paths.api_version("Job"),
        "kind": "Job",
        "name": order.name,
        "uid": uid,
    }
    return {
        "apiVersion": url_paths.api_version("Secret"),
        "kind": "Secret",
        "metadata": {
            "name": order.name,
            "namespace": NAMESPACE,
            "labels": _own_labels(order),
            "ownerReferences": [owner],
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(order.docker_config).decode()},
    }


def _network(templates: Templates, order: BuildJob) -> Manifest:
    """The policy of all builds' pods; nobody reaches them."""
    return templates.fill(
        "network-policy",
        {
            "name": _NAMED,
            "namespace": NAMESPACE,
            "labels": _labels(),
            "annotations": None,
            "selector": {labels.NAME: _NAMED},
            "ingress": [],
            "egress": [{}] if order.network == "host" else list(_reachable(order)),
        },
    )


def _reachable(order: BuildJob) -> Iterator[Manifest]:
    """DNS, the registry, and the public internet, which base images come from."""
    yield network_policies.dns()
    for address, port in order.addresses:
        cidr = f"{address}/{128 if ':' in address else 32}"
        yield {
            "to": [{"ipBlock": {"cidr": cidr}}],
            "ports": [{"protocol": "TCP", "port": port}],
        }
    closed = networks.closed(order.capabilities.unreachable_networks)
    for cidr in networks.EVERYWHERE:
        left_out = networks.around(cidr, closed)
        if left_out is not None:
            yield {"to": [{"ipBlock": {"cidr": cidr, "except": left_out}}]}
