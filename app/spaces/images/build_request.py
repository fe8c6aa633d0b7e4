"""A build as it is ordered from a builder, and the interface of builders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from app.spaces.image_registries import ImageRegistries
from app.spaces.images.build_context import BuildContext
from app.spaces.images.registry import Registry
from k8s.jobs.build import BuildLimits
from k8s.logs import Filter

Command = list[str]
Network = Literal["none", "private", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """A build.

    Attributes:
        image: Its name, `registry/lagrange/space:digest`.
        context: The folder that it is built from.
        folder: For everything that the builder writes; ours, empty, goes with the build.
        cgroup: The cgroup of its steps, where there is one; see `cgroups.name`.
        registry: The one that it is pushed to.
        limits: Of time, CPU, memory and disk.
        network: Reach of its steps: nothing, what the builder's own network lets them, or
            what this machine reaches.
        isolation: How `buildah` and `podman` run steps: `oci`, `rootless`, `chroot`; empty: their
            default.
        storage_driver: Of `buildah` and `podman`; empty: their default.
        registries: Those that base images may come from, of a tenant's Dockerfile; None: the
            Dockerfile is the operator's.
        filter: Applied to its output before anybody sees it.
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
    registries: ImageRegistries | None = None
    filter: Filter = field(default_factory=Filter)

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile for a builder of this machine; a tenant's is rewritten first."""
        if self.registries is None:
            return self.context.folder / self.context.dockerfile
        return self.folder / "guarded" / "Dockerfile"

    @property
    def docker_folder(self) -> Path:
        """The folder whose `config.json` has the registry's credentials during the push."""
        return self.folder / "docker"

    @property
    def digest_file(self) -> Path:
        """The file for the digest that the builder pushed."""
        return self.folder / "digest"


class Builder(Protocol):
    """A way to build images: by a program of this machine, or by a Job on the cluster."""

    @property
    def program(self) -> str:
        """The name that the operator configures."""

    def build(
        self,
        order: BuildRequest,
        *,
        check: Callable[[], None],
        tell: Callable[[str], None],
        pushing: Callable[[], None],
    ) -> str:
        """Build an image, push it, and return its digest (`sha256:…`).

        However this ends, none of the build's processes is left; a Job on the cluster goes on while
        the API server is away, and is taken up again.

        Args:
            order: The build.
            check: Called a few times a second; whatever it raises ends the build.
            tell: Called with each line of the log as it comes.
            pushing: Called once between the build and the push.

        Raises:
            Permanent: `build_failed`, `build_timeout`, `build_too_large`, `push_refused`, with the
                last lines of the log; `no_builder`; `registry_refused`.
            Temporary: `builder`: it cannot work, or its daemon is away; `registry`: that is away.
            k8s.api.errors.ClusterError: Of a Job: the API server is away, or refuses.
        """


class BuildProgram(Protocol):
    """The command lines of a program that builds images on this machine."""

    @property
    def program(self) -> str:
        """Its name on the PATH."""

    @property
    def runs_steps(self) -> bool:
        """True if its own processes run the Dockerfile's steps, and not those of a daemon."""

    def environment(self, order: BuildRequest) -> Mapping[str, str]:
        """Return the variables that it needs beside those that all have."""

    def ready(self) -> Command | None:
        """Return a command that fails when it cannot work, as without its daemon; None: it can."""

    def build(self, order: BuildRequest) -> Command:
        """Return the build; the registry is not written to."""

    def push(self, order: BuildRequest) -> Command:
        """Return the push of the image that was built."""

    def pushed(self, order: BuildRequest, output: Sequence[str]) -> str | None:
        """Return the digest (`sha256:…`) that was pushed; None: it does not say.

        Args:
            order: The build.
            output: The last lines of the push.
        """

    def clean(self, order: BuildRequest) -> Command | None:
        """Return the removal of the image from outside the build's folder, if it is there."""


def name(registry: Registry, space_uuid: str, digest: str) -> str:
    """Return the name of the image of a Space with these files, without any words of the tenant."""
    return f"{registry.images}/{space_uuid}:{digest}"
