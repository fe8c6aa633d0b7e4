"""What the API server says of pods and Deployments, cut down to the fields that are used."""

from datetime import datetime

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Anything inside an object. Unknown fields are left out."""


class Metadata(Part, frozen=True, kw_only=True):
    """Who an object is. Times are aware and in UTC."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Object(Part, frozen=True, kw_only=True):
    """Anything that has a name on the cluster."""

    metadata: Metadata = Metadata()

    @property
    def deleting(self) -> bool:
        """Whether its end has been asked for."""
        return self.metadata.deletion_timestamp is not None


class Condition(Part, frozen=True, kw_only=True):
    """One thing that holds (`status` is `True`), does not (`False`), or is `Unknown`."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class Waiting(Part, frozen=True, kw_only=True):
    """Why a container does not run yet or again."""

    reason: str = ""
    message: str = ""


class Running(Part, frozen=True, kw_only=True):
    """Since when a container runs."""

    started_at: datetime | None = None


class Terminated(Part, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


class ContainerState(Part, frozen=True, kw_only=True):
    """At most one of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True, kw_only=True):
    """What the kubelet says of one container."""

    name: str = ""
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Container(Part, frozen=True, kw_only=True):
    """A container as it was asked for."""

    name: str = ""
    image: str = ""


class PodSpec(Part, frozen=True, kw_only=True):
    """What a pod was asked to be."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


class PodStatus(Part, frozen=True, kw_only=True):
    """What a pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True, kw_only=True):
    """A v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Template(Part, frozen=True, kw_only=True):
    """What a Deployment's pods are made from."""

    metadata: Metadata = Metadata()


class DeploymentSpec(Part, frozen=True, kw_only=True):
    """What a Deployment was asked to be."""

    replicas: int = 1
    template: Template = Template()


class DeploymentStatus(Part, frozen=True, kw_only=True):
    """What a Deployment is; of its present generation only once that has been observed."""

    observed_generation: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Object, frozen=True, kw_only=True):
    """An apps/v1 Deployment."""

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()
