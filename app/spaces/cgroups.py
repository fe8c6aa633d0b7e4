"""Cgroups of builds, each named after the folder of its build and removed with it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def name(folder: Path) -> str:
    """Return the name of the cgroup that belongs to a folder."""
    return f"computing-provider-{folder.name}"


def exists(folder: Path) -> bool:
    """Return True if a folder still has a cgroup."""
    return any(_of_folder(folder))


def remove(folder: Path) -> None:
    """Remove the cgroups of a folder in which no process is left."""
    for cgroup in _of_folder(folder):
        for directory, _, _ in os.walk(cgroup, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()


def _of_folder(folder: Path) -> Iterator[Path]:
    """Yield the cgroups of a folder: one, or with cgroup v1 one for each controller."""
    yield from _CGROUPS.glob(name(folder))
    yield from _CGROUPS.glob(f"*/{name(folder)}")
