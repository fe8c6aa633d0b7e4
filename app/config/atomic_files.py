"""Atomic files: written whole or not at all, even if the process dies."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex


def create(path: Path, content: bytes) -> bool:
    """Create a file of mode 0600; the first writer wins, and no reader sees half of it.

    Returns:
        True if it was created; False if it already existed.

    Raises:
        OSError: It cannot be created.
    """
    draft = _draft(path, content, mode=0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes, *, backup: Path) -> None:
    """Replace the content of a file atomically; mode and owner stay.

    The old file is kept at `backup`, mode 0600.

    Raises:
        FileExistsError: `backup` exists already.
        OSError: Nothing was replaced.
    """
    status = path.stat()
    draft = _draft(path, content, mode=status.st_mode & 0o777)
    try:
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(PermissionError):
                os.chown(draft, status.st_uid, status.st_gid)
        os.link(path, backup)
        draft.replace(path)
        backup.chmod(0o600)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _draft(path: Path, content: bytes, *, mode: int) -> Path:
    """Write and sync a temporary file beside another."""
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    """Sync the entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
