"""Scratch folders, removed when their work ends; those of killed processes are swept."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.spaces import cgroups

_OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_YOUNG_SECONDS = 60
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.2
_REMOVE_SECONDS = 300
_MEASURE_INTERVAL_SECONDS = 3.0
_BLOCK_BYTES = 512


@contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that only this user can read, and remove it at the end.

    It is locked while it is in use. Abandoned folders with the same prefix, which killed processes
    left there, are removed first.

    Args:
        parent: The folder to make it in, created if missing.
        prefix: Prefix of the folder's name; nothing else in `parent` is touched.

    Raises:
        OSError: It cannot be made.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=parent))
    descriptor = os.open(folder, _OPENED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        remove(folder)
        os.close(descriptor)


def sweep(parent: Path, prefix: str) -> list[Path]:
    """Remove the abandoned folders with this prefix; return their paths."""
    removed: list[Path] = []
    for folder in parent.glob(f"{prefix}-*"):
        with suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _YOUNG_SECONDS and _is_abandoned(folder):
                remove(folder)
                removed.append(folder)
    return removed


def _is_abandoned(folder: Path) -> bool:
    descriptor = os.open(folder, _OPENED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove(folder: Path) -> None:
    """Remove a folder with everything below it, including files of users in a build's namespace.

    A builder that was killed a moment ago may still use it, so removal is retried.
    """
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists() and os.geteuid() != 0:
            _remove_mapped(folder)
        cgroups.remove(folder)
        if not (folder.exists() or cgroups.exists(folder)):
            return
        time.sleep(_PAUSE_SECONDS)


def unshare_prefix() -> list[str]:
    """Return the command prefix that runs a program as root in namespaces of its own."""
    user = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    flags = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--ipc", "--uts"]
    return ["unshare", *user, *flags, "--"]


def _remove_mapped(folder: Path) -> None:
    """Remove files of users that exist only in the user namespace of a build."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - the arguments are ours.
            [*unshare_prefix(), "rm", "-rf", "--", str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_REMOVE_SECONDS,
            check=False,
        )


@dataclass(slots=True)
class DiskUsage:
    """Disk usage of a folder, measured every few seconds, less often if measuring takes long."""

    folder: Path
    _bytes: int = 0
    _measure_at: float = 0

    def bytes(self) -> int:
        """Return the bytes on disk of everything in it that this user can see."""
        start = time.monotonic()
        if start >= self._measure_at:
            self._bytes = _used_bytes(self.folder)
            now = time.monotonic()
            self._measure_at = now + max(_MEASURE_INTERVAL_SECONDS, 10 * (now - start))
        return self._bytes


def _used_bytes(folder: Path) -> int:
    """Return the bytes below a folder; files with several hard links count once."""
    counted_inodes: set[int] = set()
    total = 0
    for root, names, files in os.walk(folder):
        for name in (*files, *names):
            with suppress(OSError):
                status = os.lstat(os.path.join(root, name))  # noqa: PTH118 - many files.
                if status.st_nlink > 1 and status.st_ino in counted_inodes:
                    continue
                counted_inodes.add(status.st_ino)
                total += status.st_blocks * _BLOCK_BYTES
    return total
