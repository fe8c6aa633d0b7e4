"""Tables of config.toml: their keys, ranges and defaults."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(gt=0)]

CallbackKeys = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=1 << 31)], ...], Meta(min_length=1, max_length=4)
]

RegistryHost = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$")
]


class _Table(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", forbid_unknown_fields=True
):
    """A table of config.toml; every key has its default."""


class Api(_Table, frozen=True, kw_only=True):
    """The provider's address, domain and name, and its Redis."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 8085
    multi_address: str = ""
    domain: str = ""
    node_name: str = ""
    region: str = ""
    redis_url: str = "redis://127.0.0.1:6379"
    redis_password: str = ""
    plain_log_urls: bool = False

    def __post_init__(self) -> None:
        """Normalise the domain as its hosts are spelled; v1.1.5 took `.example.com` too."""
        domain = self.domain.strip().strip(".").lower()
        msgspec.structs.force_setattr(self, "domain", domain)


class Log(_Table, frozen=True, kw_only=True):
    """The certificate that web serves TLS with; both or none."""

    crt_file: str = ""
    key_file: str = ""


class Lag(_Table, frozen=True, kw_only=True):
    """Lagrange: the address for callbacks, and their token and keys."""

    server_url: str = "https://api.lagrangedao.org"
    access_token: str = ""
    callback_keys: CallbackKeys = (1,)


class Mcs(_Table, frozen=True, kw_only=True):
    """Multichain Storage, for result documents."""

    api_key: str = ""
    bucket_name: str = ""
    network: str = "polygon.mainnet"
    server_url: str = ""
    file_cache_path: str = "/tmp"  # noqa: S108 - the default of v0.3.0; nothing is written there.


class Registry(_Table, frozen=True, kw_only=True):
    """The registry that built images are pushed to."""

    server_address: str = ""
    allow_anonymous: bool = False
    user_name: str = ""
    password: str = ""


class Webhook(_Table, frozen=True, kw_only=True):
    """Keys of those who may send events (Standard Webhooks), and limits of an event."""

    secrets: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()
    max_body_bytes: Count = 1 << 20
    tolerance_seconds: Seconds = 300


class Hub(_Table, frozen=True, kw_only=True):
    """The EVM address that may sign v1.1.5 messages (EIP-191), and this provider's account."""

    orchestrator_pk: str = ""
    account_address: str = ""


class ClusterTable(_Table, frozen=True, kw_only=True):
    """The cluster, and the features that it offers to tenants."""

    kubeconfig: str = ""
    ingress_class: str = "nginx"
    ingress_namespace: str = ""
    gateway: str = ""
    node_ports: bool = False
    load_balancers: bool = False
    storage_classes: dict[str, str] = msgspec.field(default_factory=dict)
    runtime_class: str = ""
    closed_networks: tuple[str, ...] = ()
    image_registries: tuple[RegistryHost, ...] = ()
    proof_image: str = "filswan/worker-proof:v1.0"
    fetch_image: str = "python:3.11-slim"


class Source(_Table, frozen=True, kw_only=True):
    """The origins of Spaces' descriptions, and limits of the source fetched for one Space."""

    origins: tuple[str, ...] = ()
    allow_private_addresses: bool = False
    max_files: Count = 2000
    max_file_bytes: Count = 256 << 20
    max_total_bytes: Count = 1 << 30
    timeout_seconds: Seconds = 600


class Build(_Table, frozen=True, kw_only=True):
    """Image builds from Spaces' Dockerfiles, and limits of one build."""

    builder: Literal["", "buildah", "podman", "buildctl", "docker", "buildkit-job"] = ""
    buildkit_image: str = "moby/buildkit:v0.34.2-rootless"
    at_once: Count = 1
    timeout_seconds: Seconds = 1200
    max_context_bytes: Count = 256 << 20
    max_disk_bytes: Count = 20 << 30
    cpu: Annotated[float, Meta(gt=0)] = 2.0
    memory_bytes: Count = 4 << 30
    network: Literal["none", "private", "host"] = "private"
    isolation: Literal["", "oci", "rootless", "chroot"] = ""
    storage_driver: Literal["", "overlay", "vfs", "btrfs", "zfs"] = ""
    keep_days: Count = 30


class Inference(_Table, frozen=True, kw_only=True):
    """Hugging Face, which describes models, and the storage of a pod that serves one."""

    server_url: str = "https://huggingface.co"
    access_token: str = ""
    cache_bytes: Count = 20 << 30


class Admission(_Table, frozen=True, kw_only=True):
    """Admission by wallet and price; lists are files (relative to `CP_PATH`) or URLs."""

    white_list: str = ""
    black_list: str = ""
    lists_kept_seconds: Seconds = 300
    pricing: bool = False


class TaskTable(_Table, frozen=True, kw_only=True):
    """Limits of tasks."""

    min_duration_seconds: Seconds = 60
    max_duration_seconds: Seconds = 366 * 86400
    start_timeout_seconds: Seconds = 3600
    max_active: Count = 1000
    workers: Annotated[int, Meta(gt=0, le=64)] = 2
    end_terminated: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All tables of config.toml."""

    api: Api = msgspec.field(name="API", default_factory=Api)
    log: Log = msgspec.field(name="LOG", default_factory=Log)
    lag: Lag = msgspec.field(name="LAG", default_factory=Lag)
    mcs: Mcs = msgspec.field(name="MCS", default_factory=Mcs)
    registry: Registry = msgspec.field(name="Registry", default_factory=Registry)
    webhook: Webhook = msgspec.field(name="WEBHOOK", default_factory=Webhook)
    hub: Hub = msgspec.field(name="HUB", default_factory=Hub)
    cluster: ClusterTable = msgspec.field(name="CLUSTER", default_factory=ClusterTable)
    source: Source = msgspec.field(name="SOURCE", default_factory=Source)
    build: Build = msgspec.field(name="BUILD", default_factory=Build)
    inference: Inference = msgspec.field(name="INFERENCE", default_factory=Inference)
    admission: Admission = msgspec.field(name="ADMISSION", default_factory=Admission)
    task: TaskTable = msgspec.field(name="TASK", default_factory=TaskTable)

    @property
    def source_origins(self) -> tuple[str, ...]:
        """URLs whose origins may describe Spaces; Lagrange's unless the operator lists others."""
        return self.source.origins or (self.lag.server_url,)
