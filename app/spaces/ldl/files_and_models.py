"""Files, models and mounts of a service: its `config`, `models` and `params.storage` sections."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.spaces.files import Files
from app.spaces.ldl import container_paths
from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import (
    Node,
    boolean,
    convert,
    entries,
    has_all,
    items,
    text,
    warn_unknown,
)
from k8s.workload import Model

MAX_FILES = 100
MAX_FILE_BYTES = 1_000_000  # Of all together: what a ConfigMap holds.
MAX_MODELS = 100
MAX_URL = 4096
MAX_MODEL_NAME_BYTES = 255

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRequest:
    """`params.storage.<storage>`: the path at which a service mounts that storage."""

    path: str
    storage: str
    mount: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """A file of the Space, and the path at which `config` mounts it; it is not read yet."""

    name: str
    path: str
    size_bytes: int


def files(node: Node, space: Files) -> tuple[FileRequest, ...]:
    """The Space's files that `config` mounts: one `{name, path}` or a list of them."""
    nodes = [node] if isinstance(node.value, dict) else items(node)
    if len(nodes) > MAX_FILES:
        node.refuse(f"must have at most {MAX_FILES} files")
        return ()
    return tuple(file for entry in nodes if (file := _file(entry, space)) is not None)


def _file(node: Node, space: Files) -> FileRequest | None:
    if not has_all(node, "name", "path"):
        return None
    warn_unknown(node, frozenset({"name", "path"}))
    name = convert(node.get("name"), container_paths.inside)
    folder = convert(node.get("path"), container_paths.absolute)
    if name is None or folder is None:
        return None
    if name not in space:
        node.get("name").refuse(f"the Space has no file {quote(name)}")
        return None
    size_bytes = space.size(name)
    if size_bytes > MAX_FILE_BYTES:
        node.get("name").refuse(
            f"{quote(name)} has {size_bytes} bytes; `config` mounts at most {MAX_FILE_BYTES}"
        )
        return None
    slash = "/" if (text(node.get("path")) or "").strip().endswith("/") else ""
    path = container_paths.file_at(folder + slash, name)
    return FileRequest(name=name, path=path, size_bytes=size_bytes)


def models(node: Node) -> tuple[Model, ...]:
    """The files of `models`, which are fetched before the service starts."""
    nodes = [node] if isinstance(node.value, dict) else items(node)
    if len(nodes) > MAX_MODELS:
        node.refuse(f"must have at most {MAX_MODELS} models")
        return ()
    return tuple(model for entry in nodes if (model := _model(entry)) is not None)


def _model(node: Node) -> Model | None:
    if not has_all(node, "name", "url", "dir"):
        return None
    warn_unknown(node, frozenset({"name", "url", "dir", "sha256"}))
    name = convert(node.get("name"), _model_name)
    sha256 = convert(node.get("sha256"), _sha256) if node.has("sha256") else ""
    url = convert(node.get("url"), _url)
    directory = convert(node.get("dir"), container_paths.absolute)
    if name is None or url is None or directory is None or sha256 is None:
        return None
    return Model(name=name, url=url, directory=directory, sha256=sha256)


def _model_name(written: str) -> str:
    name = container_paths.base_name(written)
    if len(name.encode()) > MAX_MODEL_NAME_BYTES or ":" in name:
        raise ValueError(f"must be at most {MAX_MODEL_NAME_BYTES} bytes long, without `:`")
    return name


def _sha256(written: str) -> str:
    digest = written.strip().lower()
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"must be 64 hexadecimal digits, not {quote(written)}")
    return digest


def _url(written: str) -> str:
    url = written.strip()
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"must be a URL of at most {MAX_URL} ASCII characters without spaces")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that starts with http:// or https://")
    return url


def mounts(params: Node) -> tuple[MountRequest, ...]:
    """The mounts of `params.storage`, for storages of the service's profile."""
    warn_unknown(params, frozenset({"storage", "permissions", "tee"}))
    for name in ("permissions", "tee"):
        if params.has(name) and params.get(name).value:
            params.get(name).refuse("is not supported; remove it")
    requests: dict[str, MountRequest] = {}
    for storage, node in entries(params.get("storage")):
        warn_unknown(node, frozenset({"mount", "readOnly"}))
        if not node.has("mount"):
            node.warn("has no `mount` and has no effect")
            continue
        mount = convert(node.get("mount"), container_paths.absolute)
        if mount in requests:
            node.get("mount").refuse(f"{quote(mount)} is mounted twice")
        elif mount is not None:
            requests[mount] = MountRequest(
                path=node.path,
                storage=storage,
                mount=mount,
                read_only=boolean(node.get("readOnly")),
            )
    return tuple(requests.values())
