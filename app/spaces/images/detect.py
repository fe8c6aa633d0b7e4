"""The choice of a builder on this machine: the one that the operator names, else the first."""

import shutil

from app.errors import Permanent
from app.spaces.images.build import ProgramBuilder
from app.spaces.images.build_request import Builder, BuildProgram
from app.spaces.images.buildah import Containers
from app.spaces.images.buildctl import Buildctl
from app.spaces.images.buildkit_job import PROGRAM
from app.spaces.images.docker import Docker

PROGRAMS: tuple[BuildProgram, ...] = (
    Containers("buildah"),
    Containers("podman"),
    Buildctl(),
    Docker(),
)


def choose(named: str) -> Builder:
    """Return a builder that is on the PATH; those without a daemon go first.

    Args:
        named: `buildah`, `podman`, `buildctl` or `docker`; empty: whichever is there.

    Raises:
        Permanent: `no_builder`.
    """
    if named == PROGRAM:
        raise Permanent(
            f"the builder {PROGRAM} builds Spaces alone; name another for this: CP_BUILD_BUILDER",
            category="no_builder",
        )
    for commands in PROGRAMS:
        if named in {"", commands.program} and shutil.which(commands.program):
            return ProgramBuilder(commands)
    wanted = named or "buildah, podman, buildctl or docker"
    raise Permanent(
        "this Space has to be built from its Dockerfile, and this provider has no builder;"
        f" its operator has to install {wanted}, see [BUILD]",
        category="no_builder",
    )
