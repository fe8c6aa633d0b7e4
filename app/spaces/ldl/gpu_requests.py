"""GPU requests of profiles: a number of GPUs, and the models that will do."""

import re
from dataclasses import dataclass

from app.spaces.ldl import hardware
from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import (
    Node,
    integer,
    items,
    text,
    warn_unknown,
)
from k8s.inventory import gpus

MAX_MODELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    """GPUs per replica; `models` are NVIDIA names as the file spells them, empty for any."""

    path: str
    units: int
    models: tuple[str, ...] = ()


def read(node: Node) -> GpuRequest | None:
    """The `gpu` of a profile; None if it is null."""
    if node.value is None:
        return None
    if not isinstance(node.value, dict):
        node.refuse("must be a mapping with `units`")
        return None
    warn_unknown(node, frozenset({"units", "attributes"}))
    units = integer(node.get("units"), 0, hardware.MAX_GPUS)
    if units is None:
        if not node.has("units"):
            node.get("units").refuse("is missing; say how many GPUs")
        return None
    if units == 0:
        return GpuRequest(path=node.path, units=0)
    attributes = node.get("attributes")
    warn_unknown(attributes, frozenset({"vendor"}))
    return GpuRequest(path=node.path, units=units, models=_models(attributes.get("vendor")))


def labels(models: tuple[str, ...]) -> tuple[str, ...]:
    """Node labels of the models: `NVIDIA-RTX4090` for `rtx4090`."""
    return tuple(dict.fromkeys(map(gpus.label_of_model, models)))


def _models(vendor: Node) -> tuple[str, ...]:
    if isinstance(vendor.value, str):
        vendor.warn("should be a mapping `nvidia: …`")
        vendors = {vendor.value.strip(): Node(None, vendor.path, vendor.findings)}
    elif isinstance(vendor.value, dict):
        vendors = {name: vendor.get(name) for name in vendor.value}
    else:
        vendors = {}
    for name, node in vendors.items():
        if name.lower() != "nvidia":
            node.refuse(f"{quote(name)} GPUs are not offered; this provider has NVIDIA GPUs")
    nvidia = next((node for name, node in vendors.items() if name.lower() == "nvidia"), None)
    return _model_names(nvidia) if nvidia else ()


def _model_names(nvidia: Node) -> tuple[str, ...]:
    nodes = [nvidia] if isinstance(nvidia.value, dict) else items(nvidia)
    if len(nodes) > MAX_MODELS:
        nvidia.refuse(f"must name at most {MAX_MODELS} models")
        return ()
    models: dict[str, None] = {}
    for item in nodes:
        if isinstance(item.value, dict):
            warn_unknown(item, frozenset({"model", "ram", "interface"}))
        name = item.get("model") if isinstance(item.value, dict) else item
        model = (text(name) or "").strip()
        if model == "*":
            return ()
        if model and not re.search(r"[A-Za-z0-9]", model):
            name.refuse(f"{quote(model)} is not a model name")
        elif model:
            models[model] = None
    return tuple(models)
