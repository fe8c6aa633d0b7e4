"""Safe paths and file names, in a container or in a Space; none leads out of where it belongs."""

import posixpath
from pathlib import PurePosixPath

from app.spaces.ldl.diagnostics import quote

MAX_PATH = 1024

_RESERVED = ("/proc", "/sys", "/var/run/secrets", "/run/secrets")


def absolute(written: str) -> str:
    """An absolute path in a container, normalised.

    Raises:
        ValueError: It is relative, leads upwards, is `/` or belongs to the system.
    """
    path = written.strip()
    if not path.startswith("/"):
        raise ValueError(f"must be an absolute path, not {quote(path)}")
    _check(path)
    normal = posixpath.normpath("/" + path.lstrip("/"))
    if normal == "/":
        raise ValueError("must be below /, not / itself")
    if any(normal == reserved or normal.startswith(f"{reserved}/") for reserved in _RESERVED):
        raise ValueError(f"{quote(normal)} belongs to the system; choose another path")
    if ":" in normal:
        raise ValueError("must not contain `:`, which Kubernetes cannot mount")
    return normal


def inside(written: str) -> str:
    """A relative path inside the Space, normalised.

    Raises:
        ValueError: It is absolute or leads out of the Space.
    """
    path = written.strip()
    if not path or path.startswith("/"):
        raise ValueError(f"must be a path inside the Space, not {quote(path)}")
    _check(path)
    return posixpath.normpath(path)


def file_at(path: str, name: str) -> str:
    """The place of the file `name`: `path` itself if that looks like a file, else below it."""
    base = PurePosixPath(name).name
    last = PurePosixPath(path)
    same_suffix = last.suffix != "" and last.suffix == PurePosixPath(name).suffix
    if not path.endswith("/") and (last.name == base or same_suffix):
        return path
    return posixpath.join(path, base)


def base_name(written: str) -> str:
    """The name of one file, without any folder.

    Raises:
        ValueError: It is empty or a path.
    """
    name = written.strip()
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError(f"must be a single file name, not {quote(name)}")
    _check(name)
    return name


def _check(path: str) -> None:
    if len(path.encode()) > MAX_PATH:
        raise ValueError(f"must be at most {MAX_PATH} bytes long")
    if not path.isprintable():
        raise ValueError("must not contain control characters")
    if ".." in path.split("/"):
        raise ValueError("must not contain `..`")
