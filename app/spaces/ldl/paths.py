"""Paths and names inside a container and inside a Space, none of which leads out of its place."""

import posixpath
from pathlib import PurePosixPath

from app.spaces.ldl.diagnostics import shown

MAX_PATH = 1024

_RESERVED = ("/proc", "/sys", "/var/run/secrets", "/run/secrets")


def absolute(written: str) -> str:
    """An absolute path in a container, normalised.

    Raises:
        ValueError: It is relative, leads upwards, is `/` or belongs to the system.
    """
    path = written.strip()
    if not path.startswith("/"):
        raise ValueError(f"must be an absolute path, not {shown(path)}")
    _check(path)
    normal = posixpath.normpath("/" + path.lstrip("/"))
    if normal == "/":
        raise ValueError("must be below /, not / itself")
    if any(normal == reserved or normal.startswith(f"{reserved}/") for reserved in _RESERVED):
        raise ValueError(f"{shown(normal)} belongs to the system; choose another path")
    if ":" in normal:
        raise ValueError("must have no `:`, which Kubernetes does not mount")
    return normal


def inside(written: str) -> str:
    """A relative path inside the Space, normalised.

    Raises:
        ValueError: It is absolute or leads out of the Space.
    """
    path = written.strip()
    if not path or path.startswith("/"):
        raise ValueError(f"must be a path inside the Space, not {shown(path)}")
    _check(path)
    return posixpath.normpath(path)


def file_at(path: str, name: str) -> str:
    """Where the file `name` appears: `path` itself if it looks like a file's, else below it."""
    base = PurePosixPath(name).name
    last = PurePosixPath(path)
    alike = last.suffix != "" and last.suffix == PurePosixPath(name).suffix
    if not path.endswith("/") and (last.name == base or alike):
        return path
    return posixpath.join(path, base)


def base_name(written: str) -> str:
    """The name of one file, without any folder.

    Raises:
        ValueError: It is empty or a path.
    """
    name = written.strip()
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError(f"must be the name of one file, not {shown(name)}")
    _check(name)
    return name


def _check(path: str) -> None:
    if len(path.encode()) > MAX_PATH:
        raise ValueError(f"must be at most {MAX_PATH} bytes long")
    if not path.isprintable():
        raise ValueError("must have no control characters")
    if ".." in path.split("/"):
        raise ValueError("must not lead upwards with `..`")
