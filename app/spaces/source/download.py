"""Fetching the files of a Space into a folder."""

import asyncio
from pathlib import Path
from typing import BinaryIO

from app.errors import Permanent, Temporary
from app.net.http_client import Fetcher, FetchLimits
from app.spaces import files
from app.spaces.source.space import SourceLimits, Space, SpaceFile

_CONCURRENT = 4


async def download(
    fetcher: Fetcher, space: Space, folder: Path, *, limits: SourceLimits
) -> files.Files:
    """Fetch every file of a Space into `folder`, which is made anew with mode 0700.

    Four files at a time. When one fails, the others are cancelled.

    Args:
        fetcher: Already open.
        space: As `describe` returned it.
        folder: Replaced if it exists; its parent has to exist.
        limits: For the whole Space.

    Raises:
        Permanent: `source_too_large`; what `Fetcher.get` raises, naming the file.
        Temporary: `source_unavailable`, also when `limits.seconds` are over; `disk`.
    """
    if len(space.files) > limits.files:
        message = f"the Space has {len(space.files)} files, at most {limits.files} are allowed"
        raise Permanent(message, category="source_too_large")
    try:
        async with asyncio.timeout(limits.seconds):
            await asyncio.to_thread(files.prepare, folder)
            await _Download(fetcher, folder, limits).run(space.files)
    except TimeoutError:
        message = f"the Space's files did not arrive within {limits.seconds:g} s"
        raise Temporary(message, category="source_unavailable") from None
    except OSError as error:
        message = f"the Space's files cannot be stored: {error.strerror}"
        raise Temporary(message, category="disk") from error
    return files.Files(folder, [file.path for file in space.files])


class _Download:
    """One download: the bytes left to it, and the slots for files at once."""

    def __init__(self, fetcher: Fetcher, folder: Path, limits: SourceLimits) -> None:
        self._fetcher = fetcher
        self._folder = folder
        self._limits = limits
        self._left_bytes = limits.total_bytes
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def run(self, wanted: tuple[SpaceFile, ...]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for file in wanted:
                    group.create_task(self._fetch(file))
        except ExceptionGroup as failed:
            expected, unexpected = failed.split((Permanent, Temporary, OSError))
            if expected is None or unexpected is not None:
                raise
            errors = sorted(expected.exceptions, key=lambda error: not isinstance(error, Permanent))
            raise errors[0] from None

    async def _fetch(self, file: SpaceFile) -> None:
        async with self._slots:
            with files.create(self._folder, file.path) as target:
                await self._save(file, target)
                self._left_bytes -= target.tell()
            if self._left_bytes < 0:
                raise self._too_large()

    async def _save(self, file: SpaceFile, target: BinaryIO) -> None:
        most = min(self._limits.file_bytes, self._left_bytes)
        limits = FetchLimits(bytes=most, seconds=self._limits.seconds)
        try:
            await self._fetcher.save(file.url, target, limits=limits)
        except Permanent as error:
            if error.category == "source_too_large" and most < self._limits.file_bytes:
                raise self._too_large() from None
            raise Permanent(f"{file.path}: {error}", category=error.category) from error
        except Temporary as error:
            raise Temporary(
                f"{file.path}: {error}", category=error.category, retry_after=error.retry_after
            ) from error

    def _too_large(self) -> Permanent:
        message = f"the Space's files are larger than {self._limits.total_bytes} bytes together"
        return Permanent(message, category="source_too_large")
