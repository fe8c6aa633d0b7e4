"""The cgroups of builds, each named after the folder of its build, and removed with it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def name(folder: Path) -> str:
    """Return the name of the cgroup that belongs to a folder, and goes with it."""
    return f"computing-provider-{folder.name}"


def exists(folder: Path) -> bool:
    """Tell whether a folder still has a cgroup."""
    return any(_found(folder))


def remove(folder: Path) -> None:
    """Remove the cgroups of a folder, as far as no process is left in them."""
    for cgroup in _found(folder):
        for inner, _, _ in os.walk(cgroup, topdown=False):
            with suppress(OSError):
                Path(inner).rmdir()


def _found(folder: Path) -> Iterator[Path]:
    """Yield the cgroups of a folder: one, or with version 1 one for each controller."""
    yield from _CGROUPS.glob(name(folder))
    yield from _CGROUPS.glob(f"*/{name(folder)}")
