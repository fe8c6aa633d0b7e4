"""A Space's files on disk, written and read without following symbolic links."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from app.errors import Permanent

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Files(Collection[str]):
    """The paths of a Space's files; a file is read only by who says how large it may be.

    Args:
        folder: The root of the files.
        paths: Relative to it, as `source.file_paths.check` accepted them.
    """

    def __init__(self, folder: Path, paths: Collection[str]) -> None:
        self.folder = folder
        self._paths = dict.fromkeys(paths)

    def below(self, inner: str) -> "Files":
        """Return the files below a folder of the Space, by their paths from there."""
        start = f"{inner}/" if inner else ""
        paths = [path.removeprefix(start) for path in self._paths if path.startswith(start)]
        return Files(self.folder / inner, paths)

    def size(self, path: str) -> int:
        """Return the bytes of a file.

        Raises:
            OSError: It cannot be opened.
        """
        with self._opened(path) as file:
            return os.fstat(file.fileno()).st_size

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: It cannot be read.
            Permanent: `source_too_large`.
        """
        with self._opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                message = f"{path} has {size} bytes; at most {max_bytes} are allowed"
                raise Permanent(message, category="source_too_large")
            return file.read(size)

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        with _parent(self.folder, path, create=False) as (parent, name):
            descriptor = os.open(name, _OLD, dir_fd=parent)
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def __contains__(self, path: object) -> bool:
        return path in self._paths

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
