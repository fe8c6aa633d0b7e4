"""Effective resource requests of a pod, counted as the scheduler counts them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from k8s.api.objects import (
    Condition,
    Metadata,
    Object,
    Part,
)
from k8s.inventory import quantities
from k8s.inventory.quantities import ResourceAmounts
from k8s.naming import labels

_FINISHED = {"Succeeded", "Failed"}
_ONE_POD = ResourceAmounts(pods=1)


class Resources(Part, frozen=True, kw_only=True):
    """Requests and limits; a request that is left out equals its limit."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(Part, frozen=True, kw_only=True):
    """A container; an init container with the restart policy `Always` runs as long as the pod."""

    resources: Resources | None = None
    restart_policy: str | None = None


class Spec(Part, frozen=True, kw_only=True):
    """The specification of a pod, cut down to its resources and its node."""

    node_name: str = ""
    node_selector: dict[str, str] | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    overhead: dict[str, str | int | float] | None = None
    resources: Resources | None = None


class Status(Part, frozen=True, kw_only=True):
    """The status of a pod, cut down to its phase and scheduling."""

    phase: str = ""
    nominated_node_name: str = ""
    conditions: tuple[Condition, ...] | None = None


class InventoryPod(Object, frozen=True, kw_only=True):
    """A v1 Pod, cut down to the fields that the inventory uses."""

    spec: Spec = Spec()
    status: Status = Status()

    @property
    def finished(self) -> bool:
        """True when it holds no resources any more: it ended and will not run again."""
        return self.status.phase in _FINISHED

    @property
    def unschedulable(self) -> bool:
        """True when the scheduler found no node for it, or may not schedule it yet."""
        return any(
            condition.type == "PodScheduled" and condition.status == "False"
            for condition in self.status.conditions or ()
        )


def effective(pod: InventoryPod) -> ResourceAmounts:
    """Return the effective request of a pod.

    Init containers run one after the other before the others, so the largest counts; those that
    are restarted (sidecars) run beside everything that starts after them. Requests of the pod as a
    whole replace the sum of its containers. Overhead comes on top.

    Raises:
        ValueError: A quantity is malformed.
    """
    sidecars = peak = ResourceAmounts()
    for container in pod.spec.init_containers or ():
        request = _request(container.resources)
        if container.restart_policy == "Always":
            sidecars = sidecars + request
            peak = quantities.maximum(peak, sidecars)
        else:
            peak = quantities.maximum(peak, sidecars + request)
    running = sidecars + quantities.total(_requests(pod.spec.containers))
    whole = _override(quantities.maximum(running, peak), pod.spec.resources)
    return whole + quantities.parse_requests(pod.spec.overhead or {}) + _ONE_POD


class _Template(Part, frozen=True, kw_only=True):
    metadata: Metadata = Metadata()
    spec: Spec = Spec()


class _DeploymentSpec(Part, frozen=True, kw_only=True):
    template: _Template = _Template()


class _Deployment(Part, frozen=True, kw_only=True):
    spec: _DeploymentSpec = _DeploymentSpec()


def by_component(manifests: Iterable[Mapping[str, Any]]) -> dict[str, ResourceAmounts]:
    """Return the effective request of a pod of each Deployment, by its component's label.

    Raises:
        ValueError: A quantity is malformed.
    """
    requests = {}
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            template = msgspec.convert(manifest, _Deployment).spec.template
            pod = InventoryPod(metadata=template.metadata, spec=template.spec)
            requests[template.metadata.labels.get(labels.COMPONENT, "")] = effective(pod)
    return requests


def _requests(containers: Iterable[Container]) -> Iterable[ResourceAmounts]:
    return (_request(container.resources) for container in containers)


def _request(resources: Resources | None) -> ResourceAmounts:
    if resources is None:
        return ResourceAmounts()
    return quantities.parse_requests({**(resources.limits or {}), **(resources.requests or {})})


def _override(counted: ResourceAmounts, resources: Resources | None) -> ResourceAmounts:
    """Apply the requests of the pod as a whole: CPU and memory, where Kubernetes allows them."""
    if resources is None:
        return counted
    whole = _request(resources)
    return ResourceAmounts(
        cpu_millis=whole.cpu_millis or counted.cpu_millis,
        memory_bytes=whole.memory_bytes or counted.memory_bytes,
        storage_bytes=counted.storage_bytes,
        gpus=counted.gpus,
        pods=counted.pods,
    )
