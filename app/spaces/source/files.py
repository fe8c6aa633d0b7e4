"""A Space's files on disk, written and read without following symbolic links."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Files(Mapping[str, bytes]):
    """Path in the Space → content, read from disk on access.

    Args:
        folder: The root of the files.
        paths: Relative to it, as `paths.check` accepted them.
    """

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self._folder = folder
        self._paths = dict.fromkeys(paths)

    def __getitem__(self, path: str) -> bytes:
        if path not in self._paths:
            raise KeyError(path)
        with _parent(self._folder, path, create=False) as (parent, name):
            descriptor = os.open(name, _OLD, dir_fd=parent)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def prepare(folder: Path) -> None:
    """Create an empty folder with mode 0700, in place of what an earlier attempt left there.

    Raises:
        OSError: The parent is missing, or the folder is a symbolic link.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def create(folder: Path, path: str) -> BinaryIO:
    """Create and open a file below a folder, with its parent folders.

    Raises:
        OSError: The file exists, a parent is not a folder, or the disk is full.
    """
    with _parent(folder, path, create=True) as (parent, name):
        return os.fdopen(os.open(name, _NEW, 0o600, dir_fd=parent), "wb")


@contextmanager
def _parent(folder: Path, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
    *segments, name = path.split("/")
    descriptor = os.open(folder, _FOLDER)
    try:
        for segment in segments:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(segment, 0o700, dir_fd=descriptor)
            inner = os.open(segment, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)
