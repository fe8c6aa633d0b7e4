"""Pods and Deployments as the API server describes them, cut down to the fields that are used."""

from datetime import datetime

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Any part of an object; unknown fields are ignored."""


class Metadata(Part, frozen=True, kw_only=True):
    """The identity of an object. Times are aware and in UTC."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Object(Part, frozen=True, kw_only=True):
    """Any named object on the cluster."""

    metadata: Metadata = Metadata()

    @property
    def deleting(self) -> bool:
        """True once its deletion has been requested."""
        return self.metadata.deletion_timestamp is not None


class Condition(Part, frozen=True, kw_only=True):
    """A condition that holds (`status` is `True`), does not (`False`), or is `Unknown`."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class Waiting(Part, frozen=True, kw_only=True):
    """The reason why a container is not running yet, or not running again."""

    reason: str = ""
    message: str = ""


class Running(Part, frozen=True, kw_only=True):
    """The start of a running container."""

    started_at: datetime | None = None


class Terminated(Part, frozen=True, kw_only=True):
    """The end of a container."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


class ContainerState(Part, frozen=True, kw_only=True):
    """The state of a container: at most one of the three is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True, kw_only=True):
    """The status of one container, reported by the kubelet."""

    name: str = ""
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Container(Part, frozen=True, kw_only=True):
    """The specification of a container."""

    name: str = ""
    image: str = ""


class PodSpec(Part, frozen=True, kw_only=True):
    """The specification of a pod."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


class PodStatus(Part, frozen=True, kw_only=True):
    """The status of a pod."""

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
    """The pod template of a Deployment."""

    metadata: Metadata = Metadata()


class DeploymentSpec(Part, frozen=True, kw_only=True):
    """The specification of a Deployment."""

    replicas: int = 1
    template: Template = Template()


class DeploymentStatus(Part, frozen=True, kw_only=True):
    """The status of a Deployment; current only once its generation has been observed."""

    observed_generation: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Object, frozen=True, kw_only=True):
    """An apps/v1 Deployment."""

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()
