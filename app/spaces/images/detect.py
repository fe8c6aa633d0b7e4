"""Which of this machine's builders builds: the one that the operator names, else the first."""

import shutil

from app.errors import Permanent
from app.spaces.images.build_request import Builder
from app.spaces.images.buildah import Containers
from app.spaces.images.buildctl import Buildctl
from app.spaces.images.buildkit_job import PROGRAM
from app.spaces.images.docker import Docker

BUILDERS: tuple[Builder, ...] = (
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
    for builder in BUILDERS:
        if named in {"", builder.program} and shutil.which(builder.program):
            return builder
    wanted = named or "buildah, podman, buildctl or docker"
    raise Permanent(
        "this Space has to be built from its Dockerfile, and this provider has no builder;"
        f" its operator has to install {wanted}, see [BUILD]",
        category="no_builder",
    )
