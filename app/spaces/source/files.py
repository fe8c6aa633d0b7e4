"""A Space's files in a folder of ours, written and read without following a single link."""

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
    """Path in the Space → content, each read from the disk when it is asked for.

    Args:
        folder: Where the files are.
        paths: Theirs, as `paths.check` let them through.
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
    """Make an empty folder that only we can read; what an earlier attempt left there goes.

    Raises:
        OSError: The folder above is missing, or the folder itself is a link.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def create(folder: Path, path: str) -> BinaryIO:
    """Create and open a file below a folder, and the folders between.

    Raises:
        OSError: The file is there already, something on the way is no folder, or the disk is full.
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
