"""What a build is, and the objects that carry it out."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from k8s.api import url_paths
from k8s.manifests import network_policies, networks
from k8s.manifests.templates import Templates
from k8s.manifests.tenant import DEFAULT_DENY
from k8s.naming import labels, names

NAMESPACE = "computing-provider-build"
BUILD = "lagrangedao.org/build"  # The task, which pods of its workload have under another label.
CLIENT = "build"
DAEMON = "buildkitd"
_NAMED = "build"
_DIGITS = 16
_CLIENT = {"cpu": "200m", "memory": str(256 << 20)}
_SLACK_BYTES = 64 << 20
# Pod Security knows no level for rootless BuildKit but the lowest; `builds.policy` is stricter.
_POD_SECURITY = {"pod-security.kubernetes.io/enforce": "privileged"}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """A build.

    Attributes:
        task_id: Whose.
        digest: Of the files that it is built from, hexadecimal.
        builder: The image of rootless BuildKit.
        parcel: The image that holds `context.tar`, by digest.
        parcel_bytes: How large that is.
        dockerfile: The Dockerfile's name in it.
        image: What is pushed.
        registry: Its host, with its port.
        plain_http: It has no TLS.
        addresses: Its addresses and its port.
        docker_config: A `config.json` with its credentials.
        network: What steps may reach: nothing, the public internet, or what pods can.
        blocked_networks: As in `Offer`.
        runtime_class: As in `Offer`.
        seconds: Until it is pushed.
        cpu_millis: Of BuildKit and the steps, like the memory.
        memory_bytes: Likewise.
        disk_bytes: All that BuildKit stores, base images included.
    """

    task_id: str
    digest: str
    builder: str
    parcel: str
    parcel_bytes: int
    dockerfile: str
    image: str
    registry: str
    plain_http: bool
    addresses: tuple[tuple[str, int], ...]
    docker_config: bytes = field(repr=False)
    network: Literal["none", "private", "host"]
    blocked_networks: tuple[str, ...]
    runtime_class: str
    seconds: int
    cpu_millis: int
    memory_bytes: int
    disk_bytes: int

    @property
    def name(self) -> str:
        """The Job's."""
        return name(self.task_id, self.digest)


def name(task_id: str, digest: str) -> str:
    """The name of the Job that builds these files for this task."""
    return names.dns_label(f"build-{task_id}-{digest[:_DIGITS]}")


def path(job: str) -> str:
    """Where a Job is."""
    return f"{url_paths.collection('Job', NAMESPACE)}/{job}"


def place(order: BuildJob, templates: Templates) -> Iterator[Manifest]:
    """Yield what all builds share: the namespace, and what may be reached from it."""
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
    work_bytes = 2 * order.parcel_bytes + _SLACK_BYTES
    return {
        "name": order.name,
        "namespace": NAMESPACE,
        "labels": _own_labels(order),
        "seconds": order.seconds,
        "runtime_class": order.runtime_class or None,
        "builder": order.builder,
        "configuration": _configuration(order),
        "parcel": order.parcel,
        "dockerfile": order.dockerfile.replace("$", "$$"),  # Or `$(IMAGE)` would be looked up.
        "image": order.image,
        "options": "--opt=force-network-mode=none" if order.network == "none" else "",
        "resources": {
            "cpu": f"{order.cpu_millis}m",
            "memory": str(order.memory_bytes),
            "ephemeral-storage": str(order.disk_bytes),
        },
        "client_resources": _CLIENT | {"ephemeral-storage": str(work_bytes)},
        "disk": str(order.disk_bytes),
        "work": str(work_bytes),
    }


def _configuration(order: BuildJob) -> str:
    """BuildKit's: strangers choose no program that reads their Dockerfile (`# syntax=`)."""
    plain = f'[registry."{order.registry}"]\nhttp = true\n' if order.plain_http else ""
    return f'{plain}[frontend."gateway.v0"]\nenabled = false\n'


def secret(order: BuildJob, uid: str) -> Manifest:
    """The credentials, which go with the Job."""
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
    """What all builds' pods may reach; nobody reaches them."""
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
    closed = networks.closed(order.blocked_networks)
    for cidr in networks.EVERYWHERE:
        left_out = networks.around(cidr, closed)
        if left_out is not None:
            yield {"to": [{"ipBlock": {"cidr": cidr, "except": left_out}}]}
