"""What the `resource-exporter` DaemonSet tells of each node's GPUs, in its log.

Its pods write a JSON document `{"gpu": {…}}` to their log every now and then, and errors in
between. They may not run, be of another version, or write anything: what cannot be understood is
left out, and nothing depends on it but what is shown and reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from k8s.api.client import Cluster
from k8s.api.errors import ClusterError
from k8s.api.objects import Pod

NAMESPACE = "kube-system"
SELECTOR = "app=resource-exporter"

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_TAIL_LINES = 10
_MAX_TEXT = 100
_MAX_GPUS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Memory of a GPU as the exporter words it (`16376 MiB`); empty: not told."""

    total: str = ""
    used: str = ""
    free: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDetail:
    """One GPU: its product (`NVIDIA A4000`) and its memory."""

    product_name: str
    fb_memory_usage: Usage = Usage()
    bar1_memory_usage: Usage = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """A node's GPUs as its driver knows them."""

    driver_version: str = ""
    cuda_version: str = ""
    attached_gpus: int = 0
    details: tuple[GpuDetail, ...] = ()


def read(cluster: Cluster) -> dict[str, GpuFacts]:
    """Return the facts of each node whose exporter told any, by the node's name.

    Raises:
        ClusterError: The API server is away, or does not let pods be listed.
    """
    found: dict[str, GpuFacts] = {}
    for one in cluster.list(_PODS, selector=SELECTOR):
        pod = msgspec.convert(one, Pod)
        if not _is_up(pod):
            continue
        facts = parse(_log(cluster, pod.metadata.name))
        if facts is not None:
            found[pod.spec.node_name] = facts
    return found


def _is_up(pod: Pod) -> bool:
    """Whether its log can be had: the kubelet of a node that is away is waited for in vain."""
    ready = any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)
    return ready and not pod.deleting and bool(pod.spec.node_name)


def _log(cluster: Cluster, name: str) -> str:
    """The end of a pod's log; empty when its kubelet does not give it."""
    try:
        return cluster.log(f"{_PODS}/{name}", tail_lines=_TAIL_LINES)
    except ClusterError:
        return ""


def parse(log: str) -> GpuFacts | None:
    """The newest document in a log; None when no line of it is one."""
    for line in reversed(log.splitlines()):
        try:
            document = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        if isinstance(document, dict) and isinstance(document.get("gpu"), dict):
            return _facts(document["gpu"])
    return None


def _facts(gpu: Mapping[str, Any]) -> GpuFacts:
    listed = gpu.get("details")
    details = tuple(
        detail
        for one in (listed[:_MAX_GPUS] if isinstance(listed, list) else ())
        if (detail := _detail(one)) is not None
    )
    return GpuFacts(
        driver_version=_text(gpu.get("driver_version")),
        cuda_version=_text(gpu.get("cuda_version")),
        attached_gpus=_count(gpu.get("attached_gpus"), len(details)),
        details=details,
    )


def _detail(told: Any) -> GpuDetail | None:
    name = _text(told.get("product_name")) if isinstance(told, dict) else ""
    if not name:
        return None
    return GpuDetail(
        product_name=name,
        fb_memory_usage=_usage(told.get("fb_memory_usage")),
        bar1_memory_usage=_usage(told.get("bar1_memory_usage")),
    )


def _usage(told: Any) -> Usage:
    if not isinstance(told, dict):
        return Usage()
    return Usage(**{name: _text(told.get(name)) for name in ("total", "used", "free")})


def _text(told: Any) -> str:
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        return ""
    printable = (character for character in str(told) if character.isprintable())
    return "".join(printable).strip()[:_MAX_TEXT]


def _count(told: Any, otherwise: int) -> int:
    text = _text(told)
    if text.isascii() and text.isdigit() and int(text) <= _MAX_GPUS:
        return int(text)
    return otherwise
