"""The workload of one task: containers, ports, volumes and resources, free of Kubernetes types."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """GPUs that one container needs, all of one product.

    Attributes:
        count: How many, at least 1.
        models: Product names as node labels spell them (`NVIDIA-A4000`); a node with any of them
            will do. Empty: any GPU.
    """

    count: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Resources of a container: its requests and its limits alike.

    Attributes:
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory, including its `memory` volumes.
        storage_bytes: Ephemeral storage.
        gpu: GPUs, or None.
    """

    cpu_millis: int
    memory_bytes: int
    storage_bytes: int
    gpu: Gpu | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port that a container listens on.

    Attributes:
        number: The port in the container.
        service_port: The port that others connect to (`as` in LDL).
        protocol: `TCP` or `UDP`.
        public: The way in from the internet: a `host` name through the ingress, a `node` port, an
            `address` of its own (LoadBalancer), or none (None).
        hosts: Host names that route to it, the task's own first; only with `public="host"`.
        endpoint: The name of the address, which several ports may share; only with `address`.
        clients: Services of the same task that may connect.
    """

    number: int
    service_port: int
    protocol: Literal["TCP", "UDP"] = "TCP"
    public: Literal["host", "node", "address"] | None = None
    hosts: tuple[str, ...] = ()
    endpoint: str | None = None
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Storage of a component.

    Attributes:
        name: Unique within the component.
        size_bytes: The limit.
        kind: `disk` and `memory` end with the pod, `claim` outlives it.
        storage_class: The cluster's StorageClass of a `claim`; empty: the cluster's default.
    """

    name: str
    size_bytes: int
    kind: Literal["disk", "memory", "claim"] = "disk"
    storage_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The path at which a container mounts a volume of its component."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the Space, mounted at `path` (absolute, of the file itself)."""

    name: str
    path: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A file fetched from `url` to `directory/name` before the container starts.

    `sha256` is the digest that it must have, 64 hexadecimal digits, or empty.
    """

    url: str
    directory: str
    name: str
    sha256: str = ""

    @property
    def path(self) -> str:
        """The path at which the container finds it."""
        return f"{self.directory}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One service of the deployment file; `name` is spelled as in the file."""

    name: str
    image: str
    resources: Resources
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    files: tuple[File, ...] = ()
    models: tuple[Model, ...] = ()
    ready_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """The services that share a pod, in the order in which they depend on each other.

    `name` is the name of the service that depends on all the others in the pod. `nodes` are the
    names of the nodes that the pods prefer.
    """

    name: str
    containers: tuple[Container, ...]
    replicas: int = 1
    volumes: tuple[Volume, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything that runs for one task.

    Attributes:
        task_id: The job's uuid, lower case.
        task_uuid: The auction's row, lower case, or empty.
        space_uuid: The Space, which the objects are named after; lower case.
        space_name: The Space's name as its owner wrote it.
        wallet: The owner's `0x…` address, which the namespace is named after.
        revision: The number of the deployment, from 1; part of every pod's labels.
        result_url: The host name, passed to containers as v0.3.0 did, or empty.
        components: At least one; the first that has a port with `public="host"` is the main one,
            else the first.
    """

    task_id: str
    space_uuid: str
    space_name: str
    wallet: str
    components: tuple[Component, ...]
    task_uuid: str = ""
    revision: int = 1
    result_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Features that the operator's cluster offers to tenants.

    Attributes:
        node_ports: Ports other than the host name's are published by NodePort Services.
        load_balancers: LDL endpoints of kind `ip` get a LoadBalancer Service.
        storage_classes: LDL storage class → the cluster's StorageClass; the key `*` stands for
            every class that is not named.
        ingress_class: The class of Ingress objects.
        gateway: `namespace/name` of the Gateway for HTTPRoutes; empty: Ingress objects instead.
        runtime_class: The RuntimeClass of tenants' pods; empty: the cluster's default.
        domain: The provider's domain; tenants' hosts are labels below it.
        ingress_namespace: The namespace of the ingress controller; empty: any namespace that is
            not a tenant's.
        blocked_networks: Networks (CIDR) that tenants must not reach, in addition to the reserved
            ones: those of nodes, pods and services.
        closed_networks: More of them, which the operator closed.
        private_images: The prefix of images built here, which are pulled with the operator's
            credentials (`registry.example.com/lagrange`); empty: none are.
        fetch_image: The image that fetches models: it has Python 3.11 or later as `python3`.
    """

    node_ports: bool = False
    load_balancers: bool = False
    storage_classes: dict[str, str] = field(default_factory=dict)
    ingress_class: str = "nginx"
    gateway: str = ""
    runtime_class: str = ""
    domain: str = ""
    ingress_namespace: str = ""
    blocked_networks: tuple[str, ...] = ()
    closed_networks: tuple[str, ...] = ()
    private_images: str = ""
    fetch_image: str = "python:3.11-slim"

    @property
    def unreachable_networks(self) -> tuple[str, ...]:
        """Every network that tenants must not reach, in addition to the reserved ones."""
        return self.blocked_networks + self.closed_networks
