"""A profile's `gpu`: how many, and of which models."""

import re
from dataclasses import dataclass

from app.spaces.ldl import hardware
from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.fields import (
    Node,
    items,
    know,
    text,
    whole,
)
from k8s.inventory import gpus

MAX_MODELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    """GPUs per replica; `models` are NVIDIA's names as the file has them, empty for any."""

    path: str
    units: int
    models: tuple[str, ...] = ()


def read(node: Node) -> GpuRequest | None:
    """The `gpu` of a profile; None when it says nothing."""
    if node.value is None:
        return None
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `units`")
        return None
    know(node, frozenset({"units", "attributes"}))
    units = whole(node.get("units"), 0, hardware.MAX_GPUS)
    if units is None:
        if not node.has("units"):
            node.get("units").refuse("is missing; say how many GPUs")
        return None
    if units == 0:
        return GpuRequest(path=node.path, units=0)
    attributes = node.get("attributes")
    know(attributes, frozenset({"vendor"}))
    return GpuRequest(path=node.path, units=units, models=_models(attributes.get("vendor")))


def labels(models: tuple[str, ...]) -> tuple[str, ...]:
    """Node labels of the models: `NVIDIA-RTX4090` for `rtx4090`."""
    return tuple(dict.fromkeys(map(gpus.of_model, models)))


def _models(vendor: Node) -> tuple[str, ...]:
    if isinstance(vendor.value, str):
        vendor.warn("should be a mapping `nvidia: …`")
        named = {vendor.value.strip(): Node(None, vendor.path, vendor.findings)}
    elif isinstance(vendor.value, dict):
        named = {name: vendor.get(name) for name in vendor.value}
    else:
        named = {}
    for name, node in named.items():
        if name.lower() != "nvidia":
            node.refuse(f"GPUs of {shown(name)} are not offered; this provider has NVIDIA's")
    nvidia = next((node for name, node in named.items() if name.lower() == "nvidia"), None)
    return _named(nvidia) if nvidia else ()


def _named(nvidia: Node) -> tuple[str, ...]:
    listed = [nvidia] if isinstance(nvidia.value, dict) else items(nvidia)
    if len(listed) > MAX_MODELS:
        nvidia.refuse(f"must name at most {MAX_MODELS} models")
        return ()
    models: dict[str, None] = {}
    for item in listed:
        if isinstance(item.value, dict):
            know(item, frozenset({"model", "ram", "interface"}))
        named = item.get("model") if isinstance(item.value, dict) else item
        model = (text(named) or "").strip()
        if model == "*":
            return ()
        if model and not re.search(r"[A-Za-z0-9]", model):
            named.refuse(f"{shown(model)} is no model's name")
        elif model:
            models[model] = None
    return tuple(models)
