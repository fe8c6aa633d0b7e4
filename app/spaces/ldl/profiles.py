"""The `profiles.compute` of the file: what a service asks for."""

from dataclasses import dataclass
from typing import Literal

from app.spaces.ldl import quantities
from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.fields import (
    Node,
    attempt,
    entries,
    flag,
    items,
    know,
    text,
)
from app.spaces.ldl.gpu_requests import GpuRequest
from app.spaces.ldl.gpu_requests import read as read_gpu

MAX_STORAGES = 32
UNNAMED = "default"

_RESOURCE_KEYS = frozenset({"cpu", "memory", "storage", "gpu", "id"})
_TRUE_KINDS: dict[bool, Literal["claim", "disk"]] = {True: "claim", False: "disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One storage of a profile; `storage_class` is LDL's word for it."""

    path: str
    name: str
    size_bytes: int
    kind: Literal["disk", "memory", "claim"]
    storage_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What each replica of a service asks for; None is what the file leaves open.

    Attributes:
        path: Of the profile's `resources`.
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory, without storages of class `ram`.
        storages: In the file's order; the container's own, unnamed one is called `default`.
        gpu: GPUs; None when the profile says nothing of them.
    """

    path: str
    cpu_millis: int | None = None
    memory_bytes: int | None = None
    storages: tuple[Storage, ...] = ()
    gpu: GpuRequest | None = None


def read(node: Node) -> Profile:
    """The profile at `profiles.compute.<name>`."""
    know(node, frozenset({"resources"}))
    resources = node.get("resources")
    if not isinstance(resources.value, dict):
        resources.refuse("must be a mapping with `cpu`, `memory` and `storage`")
        return Profile(path=resources.path)
    know(resources, _RESOURCE_KEYS)
    return Profile(
        path=resources.path,
        cpu_millis=_cpu(resources.get("cpu")),
        memory_bytes=_memory(resources.get("memory")),
        storages=_storages(resources.get("storage")),
        gpu=read_gpu(resources.get("gpu")),
    )


def _cpu(node: Node) -> int | None:
    _check(node, "units")
    if node.has("attributes"):
        node.get("attributes").warn("is ignored")
    units = items(node.get("units")) if isinstance(node.get("units").value, list) else None
    if units is None:
        return attempt(node.get("units"), quantities.cpu_millis)
    if len(units) != 1:
        node.get("units").refuse("must be one number of cores")
        return None
    node.get("units").warn("should be a number, not a list; its one value is taken")
    return attempt(units[0], quantities.cpu_millis)


def _memory(node: Node) -> int | None:
    _check(node, "size")
    if node.has("attributes"):
        node.get("attributes").warn("is ignored")
    return attempt(node.get("size"), quantities.size_bytes)


def _check(node: Node, key: str) -> None:
    if node.value is None:
        node.warn("is not said; what the order leaves is taken")
    elif not isinstance(node.value, dict):
        node.refuse(f"must be a mapping with `{key}`")
    else:
        know(node, frozenset({key, "attributes"}))
        if not node.has(key):
            node.get(key).warn("is not said; what the order leaves is taken")


def _storages(node: Node) -> tuple[Storage, ...]:
    if node.value is None:
        node.warn("is not said; what the order leaves is taken")
    listed = [node] if isinstance(node.value, dict) else items(node)
    if len(listed) > MAX_STORAGES:
        node.refuse(f"must have at most {MAX_STORAGES} storages")
        return ()
    storages: list[Storage] = []
    names: set[str] = set()
    for item in listed:
        storage = _storage(item)
        if storage is None:
            continue
        if storage.name != UNNAMED and storage.name in names:
            item.get("name").refuse(f"{shown(storage.name)} is the name of two storages")
            continue
        names.add(storage.name)
        storages.append(storage)
    return tuple(storages)


def _storage(node: Node) -> Storage | None:
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `size`")
        return None
    know(node, frozenset({"name", "size", "attributes"}))
    if not node.has("size"):
        node.get("size").refuse("is missing")
        return None
    size = attempt(node.get("size"), quantities.size_bytes)
    attributes = node.get("attributes")
    pairs = dict(entries(attributes))
    know(attributes, frozenset({"persistent", "class"}))
    persistent = flag(attributes.get("persistent"))
    storage_class = (text(attributes.get("class")) or "").strip() if "class" in pairs else ""
    if persistent and storage_class == "ram":
        attributes.refuse("memory (`class: ram`) does not persist; drop one of the two")
        return None
    if size is None:
        return None
    return Storage(
        path=node.path,
        name=(text(node.get("name")) or "").strip() or UNNAMED,
        size_bytes=size,
        kind="memory" if storage_class == "ram" else _TRUE_KINDS[persistent],
        storage_class=storage_class,
    )
