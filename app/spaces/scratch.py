"""Folders for one piece of work each: they go when it ends, or when it was killed."""

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
_MEASURE_SECONDS = 3.0
_BLOCK_BYTES = 512


@contextmanager
def temporary(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that only we can read, and remove it at the end.

    It is locked while it is in use. What others of this prefix left there is removed, which is how
    the folders of killed processes go.

    Args:
        parent: Made when it is not there.
        prefix: Of the folder's name; nothing else in `parent` is touched.

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
    """Remove the folders of this prefix that nobody holds; return which they were."""
    removed = []
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
    """Remove a folder with everything below it, whoever it belongs to in our user namespaces.

    A builder that was killed a moment ago may still hold on to it, so this is patient.
    """
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists() and os.geteuid() != 0:
            _remove_others(folder)
        cgroups.remove(folder)
        if not (folder.exists() or cgroups.exists(folder)):
            return
        time.sleep(_PAUSE_SECONDS)


def namespaces() -> list[str]:
    """Return what starts a command in namespaces of its own, in which it is root."""
    user = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    apart = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--ipc", "--uts"]
    return ["unshare", *user, *apart, "--"]


def _remove_others(folder: Path) -> None:
    """Remove what belongs to users whom only the namespace of a build knows."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - the words are ours.
            [*namespaces(), "rm", "-rf", "--", str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_REMOVE_SECONDS,
            check=False,
        )


@dataclass(slots=True)
class Measure:
    """How much a folder holds, looked at every few seconds, less often when it takes long."""

    folder: Path
    _found: int = 0
    _next: float = 0

    def bytes(self) -> int:
        """Return the bytes on disk of everything in it that we can see."""
        start = time.monotonic()
        if start >= self._next:
            self._found = _used_bytes(self.folder)
            now = time.monotonic()
            self._next = now + max(_MEASURE_SECONDS, 10 * (now - start))
        return self._found


def _used_bytes(folder: Path) -> int:
    """Return the bytes below a folder; files with several names count once."""
    seen: set[int] = set()
    total = 0
    for root, names, files in os.walk(folder):
        for name in (*files, *names):
            with suppress(OSError):
                found = os.lstat(os.path.join(root, name))  # noqa: PTH118 - many files.
                if found.st_nlink > 1 and found.st_ino in seen:
                    continue
                seen.add(found.st_ino)
                total += found.st_blocks * _BLOCK_BYTES
    return total
