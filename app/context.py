"""Context of a process: configuration, identity, Redis and cluster, each opened at first use."""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import redis
import redis.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from app import config as configuration
from app.config import Config, identity
from app.config.identity import Identity
from app.config.redaction import Redaction
from app.errors import ConfigError, Permanent
from app.store import AsyncStore, Store
from k8s.api import client
from k8s.api.client import Cluster
from k8s.inventory import capabilities as cluster_capabilities
from k8s.manifests import networks
from k8s.manifests.pull_secrets import Credentials
from k8s.workload import Capabilities

if TYPE_CHECKING:
    from app.spaces.images import Registry

_SOCKET_SECONDS = 5
_ASYNC_SOCKET_SECONDS = 2
_CONNECTIONS = 32
_CAPABILITIES_MAX_AGE_SECONDS = 60


@dataclass(frozen=True)
class Context:
    """Resources of a process; each is opened at its first use, so that none is opened in vain."""

    folder: Path
    config: Config

    @cached_property
    def identity(self) -> Identity:
        """The identity of this provider."""
        return identity.load(self.folder)

    @cached_property
    def redaction(self) -> Redaction:
        """The redaction of the operator's secrets in output."""
        return Redaction(configuration.secrets(self.config))

    @cached_property
    def callback_keys(self) -> tuple[Ed25519PrivateKey, ...]:
        """The keys that sign callbacks; the first is the one that is published."""
        return tuple(map(self.identity.callback_key, self.config.lag.callback_keys))

    @cached_property
    def redis(self) -> redis.Redis:
        """A connection to Redis that fails after some seconds.

        Raises:
            ConfigError: `[API] RedisUrl` is not a Redis URL.
        """
        try:
            return redis.Redis.from_url(
                self.config.api.redis_url,
                password=self.config.api.redis_password or None,
                socket_timeout=_SOCKET_SECONDS,
                socket_connect_timeout=_SOCKET_SECONDS,
                health_check_interval=30,
                retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 3),
            )
        except ValueError as error:
            raise ConfigError("[API] RedisUrl is not redis://<host>:<port>") from error

    @cached_property
    def store(self) -> Store:
        """The store."""
        return Store(self.redis)

    @cached_property
    def async_store(self) -> AsyncStore:
        """The asynchronous store; it fails soon while Redis is unavailable."""
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            self.config.api.redis_url,
            password=self.config.api.redis_password or None,
            max_connections=_CONNECTIONS,
            timeout=_ASYNC_SOCKET_SECONDS,
            socket_timeout=_ASYNC_SOCKET_SECONDS,
            socket_connect_timeout=_ASYNC_SOCKET_SECONDS,
            health_check_interval=30,
        )
        return AsyncStore(redis.asyncio.Redis.from_pool(pool))

    @cached_property
    def cluster(self) -> Cluster:
        """The client of the cluster."""
        return client.connect(self.config.cluster.kubeconfig)

    @cached_property
    def credentials(self) -> Credentials | None:
        """The credentials with which images built here are pulled; None: none are needed."""
        registry = _registry(self.config)
        return Credentials(registry.docker_config()) if registry else None

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this cluster and its networks, at most a minute old.

        Raises:
            k8s.api.errors.ClusterError: The cluster is unavailable, or refuses.
        """
        cached: tuple[float, Capabilities] | None = self.__dict__.get("_capabilities")
        if cached is None or time.monotonic() - cached[0] > _CAPABILITIES_MAX_AGE_SECONDS:
            cached = (
                time.monotonic(),
                cluster_capabilities.resolve(self.cluster, configured_capabilities(self.config)),
            )
            self.__dict__["_capabilities"] = cached
        return cached[1]


def configured_capabilities(config: Config) -> Capabilities:
    """Return the capabilities that the operator has configured."""
    table = config.cluster
    return Capabilities(
        node_ports=table.node_ports,
        load_balancers=table.load_balancers,
        storage_classes=table.storage_classes,
        ingress_class=table.ingress_class,
        gateway=table.gateway,
        runtime_class=table.runtime_class,
        domain=config.api.domain.lower(),
        ingress_namespace=table.ingress_namespace,
        fetch_image=table.fetch_image,
        closed_networks=table.closed_networks,
        private_images=_private_images(config),
    )


def _registry(config: Config) -> "Registry | None":
    """Return the registry if it needs credentials; None too if its address is invalid."""
    if not config.registry.user_name:
        return None
    from app.spaces import images  # noqa: PLC0415 - slow to import, and seldom needed.

    with suppress(Permanent):
        return images.configured(config.registry)
    return None


def _private_images(config: Config) -> str:
    registry = _registry(config)
    return registry.images if registry else ""


def open_context(chosen: str | None = None) -> Context:
    """Open the context of the provider's folder.

    Raises:
        ConfigError: The configuration is invalid.
    """
    folder = configuration.resolve_folder(chosen)
    return Context(folder, configuration.load(folder))


def check_complete(config: Config) -> None:
    """Check that a configuration has all that a provider needs to serve, and its networks.

    Raises:
        ConfigError: Each missing key and its purpose.
    """
    problems = []
    if not config.api.domain:
        problems.append("[API] Domain is empty; set the domain whose labels become tenants' hosts")
    if not (config.webhook.secrets or config.webhook.public_keys or config.hub.orchestrator_pk):
        problems.append(
            "nobody can send anything: set [WEBHOOK] Secrets or PublicKeys, or [HUB] OrchestratorPk"
        )
    if bool(config.log.crt_file) != bool(config.log.key_file):
        problems.append("[LOG] CrtFile and KeyFile have to be set both or not at all")
    problems += [
        f"[CLUSTER] ClosedNetworks: {cidr} is not a network in CIDR notation"
        for cidr in config.cluster.closed_networks
        if not networks.is_cidr(cidr)
    ]
    if problems:
        raise ConfigError(*problems)
