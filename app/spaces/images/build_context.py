"""The context of a build: the folder of the Space's Dockerfile, without a link in it."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.errors import Permanent

_DIGEST_LENGTH = 32
_CHUNK_BYTES = 1 << 20
_MODE = 0o755
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class BuildContext:
    """A folder to build from.

    Attributes:
        folder: The one that `COPY . .` copies.
        dockerfile: The Dockerfile's name in it.
        digest: 32 hexadecimal digits, the same for the same files wherever they are.
    """

    folder: Path
    dockerfile: str
    digest: str


def prepare(folder: Path, paths: Iterable[str], dockerfile: str, *, max_bytes: int) -> BuildContext:
    """Make the files of a Space ready to be built from.

    Lagrange knows no modes; every file gets 0755, as Docker does for systems that have none, so
    that scripts can be started and whatever user the service has can read.

    Args:
        folder: Where the files are; ours, nobody else writes there.
        paths: Theirs, as `source.paths.check` let them through.
        dockerfile: One of them; its folder is the context.
        max_bytes: The most that all files of the context may have.

    Raises:
        Permanent: `context_too_large`.
        OSError: A file is no file, or behind a link.
    """
    context, files = _below(folder, paths, dockerfile)
    _open_to_all(context, files)
    return BuildContext(context, *_described(context, files, dockerfile, max_bytes))


def describe(
    folder: Path, paths: Iterable[str], dockerfile: str, *, max_bytes: int
) -> BuildContext:
    """Return what `prepare` does of files that stay as they are.

    Raises:
        Permanent, OSError: As `prepare`.
    """
    context, files = _below(folder, paths, dockerfile)
    return BuildContext(context, *_described(context, files, dockerfile, max_bytes))


def _below(folder: Path, paths: Iterable[str], dockerfile: str) -> tuple[Path, list[str]]:
    inner, _, _ = dockerfile.rpartition("/")
    start = f"{inner}/" if inner else ""
    files = sorted(path.removeprefix(start) for path in paths if path.startswith(start))
    return folder / inner, files


def _described(context: Path, files: list[str], dockerfile: str, max_bytes: int) -> tuple[str, str]:
    name = dockerfile.rpartition("/")[2]
    whole = hashlib.sha256(name.encode("utf-8", "surrogateescape"))
    left = max_bytes
    for path in files:
        digest = hashlib.sha256()
        with _opened(context, path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    message = f"the files beside the Dockerfile have more than {max_bytes} bytes"
                    raise Permanent(message, category="context_too_large")
        whole.update(b"\0" + path.encode("utf-8", "surrogateescape") + b"\0" + digest.digest())
    return name, whole.hexdigest()[:_DIGEST_LENGTH]


def _open_to_all(context: Path, files: list[str]) -> None:
    context.chmod(_MODE)
    for path in files:
        with _opened(context, path, mode=_MODE):
            pass


@contextmanager
def _opened(context: Path, path: str, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file without following a link; a mode is for it and for the folders between."""
    *folders, name = path.split("/")
    descriptor = os.open(context, _FOLDER)
    try:
        for segment in folders:
            inner = os.open(segment, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            if mode is not None:
                os.fchmod(descriptor, mode)
        with os.fdopen(os.open(name, _FILE, dir_fd=descriptor), "rb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
    finally:
        os.close(descriptor)
