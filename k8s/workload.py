"""What must run on the cluster for one task: values, without any Kubernetes in them."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """GPUs that one container needs, all of one product.

    Attributes:
        count: How many, at least 1.
        models: Product names as node labels spell them (`NVIDIA-A4000`); a node with any of them
            will do. Empty: any GPU will.
    """

    count: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container gets, as its requests and as its limits.

    Attributes:
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory, its `memory` volumes included.
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
        public: How the internet reaches it: by `host` name through the ingress, by a `node` port,
            by an `address` of its own (LoadBalancer), or not at all (None).
        hosts: Host names that lead to it, the task's own first; only with `public="host"`.
        endpoint: The name of the address that it shares with other ports; only with `address`.
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
        name: Unique in its component.
        size_bytes: Its limit.
        kind: `disk` and `memory` end with the pod, `claim` outlives it.
        storage_class: The cluster's StorageClass of a `claim`; empty: the cluster's default.
    """

    name: str
    size_bytes: int
    kind: Literal["disk", "memory", "claim"] = "disk"
    storage_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where a container sees a volume of its component."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the Space that a container sees at `path` (absolute, the file itself)."""

    name: str
    path: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A file fetched from `url` to `directory/name` before the container starts.

    `sha256` is what it has to have, 64 hexadecimal digits, or empty.
    """

    url: str
    directory: str
    name: str
    sha256: str = ""

    @property
    def path(self) -> str:
        """Where the container sees it."""
        return f"{self.directory}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One service of the file: `name` is the service's own, as written there."""

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
    """One pod, `replicas` times: its containers in the order in which they depend on each other.

    `name` is the name of the service that depends on all the others of the pod. `nodes` are the
    names of nodes that the pods go to if they can.
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
        space_uuid: Names the objects; lower case.
        space_name: As its owner wrote it.
        wallet: The owner's `0x…` address; names the namespace.
        revision: Counts deployments of the task from 1; part of every pod's labels.
        result_url: The host name, which containers are told as v0.3.0 told them, or empty.
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
    """What the operator's cluster offers to tenants.

    Attributes:
        node_ports: Ports beside the host name's are published by NodePort Services.
        load_balancers: LDL endpoints of kind `ip` get a LoadBalancer Service.
        storage_classes: LDL storage class → the cluster's StorageClass; the key `*` stands for
            every class that is not named.
        ingress_class: Of Ingress objects.
        gateway: `namespace/name` of the Gateway for HTTPRoutes; empty: Ingress objects instead.
        runtime_class: RuntimeClass of tenants' pods; empty: the cluster's default.
        domain: The provider's domain; tenants' hosts are labels below it.
        ingress_namespace: Where the ingress controller runs; empty: in any namespace that is no
            tenant's.
        blocked_networks: Networks (CIDR) that tenants must not reach beside the reserved ones:
            those of nodes, pods and services.
        private_images: What names of images begin with that are built here and need the operator's
            credentials to be pulled (`registry.example.com/lagrange`); empty: none do.
        fetch_image: What fetches models: an image with Python 3.11 or later as `python3`.
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
    private_images: str = ""
    fetch_image: str = "python:3.11-slim"
