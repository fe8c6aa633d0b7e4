"""The registries that tenants' images may come from."""

import re
from dataclasses import dataclass, replace
from typing import Self

from app.net import addresses

DOCKER_HUB = "docker.io"
# Registries of known companies: their token servers and redirects are their own, and lead nowhere
# that a tenant chooses.
WELL_KNOWN = (
    DOCKER_HUB,
    "gcr.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "nvcr.io",
    "public.ecr.aws",
    "quay.io",
    "registry.gitlab.com",
    "registry.k8s.io",
)

_HTTPS_PORT = "443"
_DOCKER_HUB_NAMES = frozenset(
    {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]+))?")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
# Suffixes that no public registry has: reserved (RFC 2606, 6761, 6762, 8375, 9476), those that
# ICANN keeps from delegation, and those of clusters.
_PRIVATE_SUFFIXES = frozenset(
    {
        "alt",
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "mail",
        "onion",
        "private",
        "svc",
        "test",
    }
)


def split(image: str) -> tuple[str, str]:
    """Split an image reference into its registry, in lower case, and the rest.

    A first segment is a registry by the rule of every container runtime: it has a dot, a colon or
    a capital letter, or is `localhost`; else the image is Docker Hub's.
    """
    host, slash, rest = image.partition("/")
    is_host = "." in host or ":" in host or host == "localhost" or host != host.lower()
    if not slash or not is_host:
        return DOCKER_HUB, image
    host = host.lower()
    return (DOCKER_HUB if host in _DOCKER_HUB_NAMES else host), rest


def qualify(image: str) -> str:
    """Return an image reference with its registry, and `library/` where Docker Hub means that."""
    host, rest = split(image)
    return f"{host}/{'library/' if host == DOCKER_HUB and '/' not in rest else ''}{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRegistries:
    """The operator's rule for the registries of tenants' images.

    Attributes:
        own: The operator's own registry, with its port; empty: there is none.
        listed: The others that are allowed; empty: every one of the public internet.
    """

    own: str = ""
    listed: tuple[str, ...] = ()

    def check(self, image: str) -> None:
        """Refuse an image whose registry is not allowed.

        Raises:
            ValueError: The message is a sentence for the image's author, with the remedy.
        """
        host, _ = split(image)
        if host in self._trusted:
            return
        if self.listed:
            allowed = ", ".join(sorted(self._trusted))
            raise ValueError(f"must come from a registry that this provider allows: {allowed}")
        if reason := _privacy(host):
            raise ValueError(
                f"must not come from {_shown(host)}, {reason}; push the image to a public registry"
            )

    def of_host_builders(self) -> Self:
        """Return the rule for builders that follow whatever a registry answers: known ones only."""
        return replace(self, listed=self.listed or WELL_KNOWN)

    @property
    def _trusted(self) -> frozenset[str]:
        return frozenset(host.lower() for host in (self.own, *self.listed) if host)


PUBLIC = ImageRegistries()


def _privacy(host: str) -> str:
    """Return the reason why a host is no registry of the public internet, or an empty string."""
    parts = _HOST.fullmatch(host)
    if parts is None:
        return "which is not a host name"
    name = parts["name"]
    try:
        is_address = addresses.literal(name.strip("[]")) is not None
    except ValueError:
        is_address = True
    if is_address:
        return "an IP address"
    if not _DOMAIN.fullmatch(name) or name.rpartition(".")[2] in _PRIVATE_SUFFIXES:
        return "a name that is not on the public internet"
    if parts["port"] not in {None, _HTTPS_PORT}:
        return "a port other than 443"
    return ""


def _shown(host: str) -> str:
    return f"`{host[:100]}`"
