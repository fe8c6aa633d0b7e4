"""Files that are there whole or not at all, whatever dies meanwhile."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex


def create(path: Path, content: bytes) -> bool:
    """Make a file of mode 0600; whoever is first wins, and nobody reads half of it.

    Returns:
        Whether it was made; False: there was one.

    Raises:
        OSError: It cannot be made.
    """
    draft = _draft(path, content, mode=0o600)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _settle(path.parent)
    return True


def replace(path: Path, content: bytes, *, backup: Path) -> None:
    """Give a file new content at one blow; mode and owner stay.

    The old one is kept at `backup`, mode 0600.

    Raises:
        FileExistsError: There is something at `backup`.
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
    _settle(path.parent)


def _draft(path: Path, content: bytes, *, mode: int) -> Path:
    """Write a file beside another, down to the disk."""
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _settle(folder: Path) -> None:
    """See to it that the names in a folder are on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
