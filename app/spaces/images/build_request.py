"""One build as it is ordered from a builder, and what a builder is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from app.spaces.images.build_context import BuildContext
from app.spaces.images.registry import Registry
from k8s.logs import Filter

Command = list[str]
Network = Literal["none", "private", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """What one build may use.

    Attributes:
        seconds: From its first step until it is pushed.
        memory_bytes: Of its steps together where the builder can, of each process in any case.
        cores: CPU of its steps; a fraction counts.
        disk_bytes: Of everything that it stores, base images included.
    """

    seconds: float
    memory_bytes: int
    cores: float
    disk_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """A build.

    Attributes:
        image: What it is called, `registry/lagrange/space:digest`.
        context: What it is built from.
        folder: For everything that the builder writes; ours, empty, goes with the build.
        cgroup: The cgroup of its steps, where there is one; see `folders.cgroup`.
        registry: Where it goes.
        limits: What it may use.
        network: What its steps may reach: nothing, what the builder's own network lets them, or
            what this machine reaches.
        isolation: How `buildah` and `podman` run steps: `oci`, `rootless`, `chroot`; empty: their
            default.
        storage_driver: Of `buildah` and `podman`; empty: their default.
        filter: What is done to the bytes of its output before anybody sees them.
    """

    image: str
    context: BuildContext
    folder: Path
    cgroup: str
    registry: Registry
    limits: BuildLimits
    network: Network = "private"
    isolation: str = ""
    storage_driver: str = ""
    filter: Filter = field(default_factory=Filter)

    @property
    def docker_folder(self) -> Path:
        """Where `config.json` has the registry's credentials while the image is pushed."""
        return self.folder / "docker"

    @property
    def digest_file(self) -> Path:
        """Where the builder writes what it pushed."""
        return self.folder / "digest"


class Builder(Protocol):
    """A program of this machine that builds images; `job.JobBuilder` is the other kind."""

    @property
    def program(self) -> str:
        """Its name on the PATH."""

    @property
    def runs_steps(self) -> bool:
        """Whether its own processes run the Dockerfile's steps, and not those of a daemon."""

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return the variables that it needs beside those that all have."""

    def ready(self) -> Command | None:
        """Return what fails when it cannot work, such as without its daemon; None: always can."""

    def build(self, order: BuildRequest) -> Command:
        """Return what builds the image; the registry is not written to."""

    def push(self, order: BuildRequest) -> Command:
        """Return what pushes the image that was built."""

    def pushed(self, order: BuildRequest) -> str | None:
        """Return the digest (`sha256:…`) of what was pushed; None: it does not tell."""

    def clean(self, order: BuildRequest) -> Command | None:
        """Return what removes the image from where the build's folder does not hold it."""


def name(registry: Registry, space_uuid: str, digest: str) -> str:
    """Return the name of the image of a Space with these files: nothing of the tenant's words."""
    return f"{registry.images}/{space_uuid}:{digest}"
