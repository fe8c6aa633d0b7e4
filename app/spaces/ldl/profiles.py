"""The `profiles.compute` section: the CPU, memory, storage and GPUs that a service asks for."""

from dataclasses import dataclass
from typing import Literal

from app.spaces.ldl import quantities
from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import (
    Node,
    boolean,
    convert,
    entries,
    items,
    text,
    warn_unknown,
)
from app.spaces.ldl.gpu_requests import GpuRequest
from app.spaces.ldl.gpu_requests import read as read_gpu

MAX_STORAGES = 32
UNNAMED = "default"

_RESOURCE_KEYS = frozenset({"cpu", "memory", "storage", "gpu", "id"})
_KINDS_BY_PERSISTENCE: dict[bool, Literal["claim", "disk"]] = {True: "claim", False: "disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One storage of a profile; `storage_class` is the class as LDL names it."""

    path: str
    name: str
    size_bytes: int
    kind: Literal["disk", "memory", "claim"]
    storage_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Resource requests of each replica of a service; None where the file leaves it open.

    Attributes:
        path: Place of the profile's `resources`.
        cpu_millis: Thousandths of a core.
        memory_bytes: Memory, without storages of class `ram`.
        storages: In the file's order; the container's own, unnamed one is named `default`.
        gpu: GPUs; None if the profile does not mention them.
    """

    path: str
    cpu_millis: int | None = None
    memory_bytes: int | None = None
    storages: tuple[Storage, ...] = ()
    gpu: GpuRequest | None = None


def read(node: Node) -> Profile:
    """The profile at `profiles.compute.<name>`."""
    warn_unknown(node, frozenset({"resources"}))
    resources = node.get("resources")
    if not isinstance(resources.value, dict):
        resources.refuse("must be a mapping with `cpu`, `memory` and `storage`")
        return Profile(path=resources.path)
    warn_unknown(resources, _RESOURCE_KEYS)
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
        return convert(node.get("units"), quantities.cpu_millis)
    if len(units) != 1:
        node.get("units").refuse("must be a single number of cores")
        return None
    node.get("units").warn("should be a number, not a list; its single value is used")
    return convert(units[0], quantities.cpu_millis)


def _memory(node: Node) -> int | None:
    _check(node, "size")
    if node.has("attributes"):
        node.get("attributes").warn("is ignored")
    return convert(node.get("size"), quantities.size_bytes)


def _check(node: Node, key: str) -> None:
    if node.value is None:
        node.warn("is not set; the service gets a share of the rest of the order")
    elif not isinstance(node.value, dict):
        node.refuse(f"must be a mapping with `{key}`")
    else:
        warn_unknown(node, frozenset({key, "attributes"}))
        if not node.has(key):
            node.get(key).warn("is not set; the service gets a share of the rest of the order")


def _storages(node: Node) -> tuple[Storage, ...]:
    if node.value is None:
        node.warn("is not set; the service gets a share of the rest of the order")
    nodes = [node] if isinstance(node.value, dict) else items(node)
    if len(nodes) > MAX_STORAGES:
        node.refuse(f"must have at most {MAX_STORAGES} storages")
        return ()
    storages: list[Storage] = []
    names: set[str] = set()
    for item in nodes:
        storage = _storage(item)
        if storage is None:
            continue
        if storage.name != UNNAMED and storage.name in names:
            item.get("name").refuse(f"{quote(storage.name)} is the name of two storages")
            continue
        names.add(storage.name)
        storages.append(storage)
    return tuple(storages)


def _storage(node: Node) -> Storage | None:
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `size`")
        return None
    warn_unknown(node, frozenset({"name", "size", "attributes"}))
    if not node.has("size"):
        node.get("size").refuse("is missing")
        return None
    size = convert(node.get("size"), quantities.size_bytes)
    attributes = node.get("attributes")
    pairs = dict(entries(attributes))
    warn_unknown(attributes, frozenset({"persistent", "class"}))
    persistent = boolean(attributes.get("persistent"))
    storage_class = (text(attributes.get("class")) or "").strip() if "class" in pairs else ""
    if persistent and storage_class == "ram":
        attributes.refuse("memory (`class: ram`) does not persist; remove one of the two")
        return None
    if size is None:
        return None
    return Storage(
        path=node.path,
        name=(text(node.get("name")) or "").strip() or UNNAMED,
        size_bytes=size,
        kind="memory" if storage_class == "ram" else _KINDS_BY_PERSISTENCE[persistent],
        storage_class=storage_class,
    )
