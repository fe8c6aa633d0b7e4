"""What one pod takes of its node, counted as the scheduler counts it."""

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

_OVER = {"Succeeded", "Failed"}
_ONE_POD = ResourceAmounts(pods=1)


class Resources(Part, frozen=True, kw_only=True):
    """What is asked for; a request that is left out is as high as its limit."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(Part, frozen=True, kw_only=True):
    """A container; one of the init containers with `Always` runs as long as the pod."""

    resources: Resources | None = None
    restart_policy: str | None = None


class Spec(Part, frozen=True, kw_only=True):
    """The part of a pod that says what it needs and where it is to run."""

    node_name: str = ""
    node_selector: dict[str, str] | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    overhead: dict[str, str | int | float] | None = None
    resources: Resources | None = None


class Status(Part, frozen=True, kw_only=True):
    """The part of a pod that says how far it is."""

    phase: str = ""
    nominated_node_name: str = ""
    conditions: tuple[Condition, ...] | None = None


class InventoryPod(Object, frozen=True, kw_only=True):
    """A v1 Pod, as an inventory looks at it."""

    spec: Spec = Spec()
    status: Status = Status()

    @property
    def over(self) -> bool:
        """Whether it takes nothing any more: it ended and will not run again."""
        return self.status.phase in _OVER

    @property
    def put_off(self) -> bool:
        """Whether the scheduler has looked at it and found no node, or may not look yet."""
        return any(
            one.type == "PodScheduled" and one.status == "False"
            for one in self.status.conditions or ()
        )


def effective(pod: InventoryPod) -> ResourceAmounts:
    """What the pod takes.

    Init containers run one after the other before the others, so the largest counts; those that
    are restarted (sidecars) stay beside everything that starts after them. What is asked for the
    pod as a whole takes the place of the containers' sum. Overhead comes on top.

    Raises:
        ValueError: A quantity is none.
    """
    sidecars = peak = ResourceAmounts()
    for one in pod.spec.init_containers or ():
        taken = _asked(one.resources)
        if one.restart_policy == "Always":
            sidecars = sidecars + taken
            peak = quantities.maximum(peak, sidecars)
        else:
            peak = quantities.maximum(peak, sidecars + taken)
    running = sidecars + quantities.total(_each(pod.spec.containers))
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
    """Return what a pod of each Deployment takes, by the label of its component.

    Raises:
        ValueError: A quantity is none.
    """
    found = {}
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            template = msgspec.convert(manifest, _Deployment).spec.template
            pod = InventoryPod(metadata=template.metadata, spec=template.spec)
            found[template.metadata.labels.get(labels.COMPONENT, "")] = effective(pod)
    return found


def _each(containers: Iterable[Container]) -> Iterable[ResourceAmounts]:
    return (_asked(one.resources) for one in containers)


def _asked(resources: Resources | None) -> ResourceAmounts:
    if resources is None:
        return ResourceAmounts()
    return quantities.parse_requests({**(resources.limits or {}), **(resources.requests or {})})


def _override(counted: ResourceAmounts, resources: Resources | None) -> ResourceAmounts:
    """Requests of the pod as a whole: CPU and memory, where Kubernetes allows them."""
    if resources is None:
        return counted
    whole = _asked(resources)
    return ResourceAmounts(
        cpu_millis=whole.cpu_millis or counted.cpu_millis,
        memory_bytes=whole.memory_bytes or counted.memory_bytes,
        storage_bytes=counted.storage_bytes,
        gpus=counted.gpus,
        pods=counted.pods,
    )
