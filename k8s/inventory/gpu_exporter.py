"""GPU details of each node, read from the logs of the `resource-exporter` DaemonSet.

Its pods write a JSON document `{"gpu": {…}}` to their log every now and then, and errors in
between. They may be absent, of another version, or write anything: values that cannot be understood
are left out, and only display and reports depend on them.
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
    """Memory of a GPU in the exporter's words (`16376 MiB`); empty: unknown."""

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
    """A node's GPUs according to its driver."""

    driver_version: str = ""
    cuda_version: str = ""
    attached_gpus: int = 0
    details: tuple[GpuDetail, ...] = ()


def read(cluster: Cluster) -> dict[str, GpuFacts]:
    """Return the facts of each node whose exporter published any, by the node's name.

    Raises:
        ClusterError: The API server is unavailable, or does not let pods be listed.
    """
    facts_by_node: dict[str, GpuFacts] = {}
    for document in cluster.list(_PODS, selector=SELECTOR):
        pod = msgspec.convert(document, Pod)
        if not _is_readable(pod):
            continue
        facts = parse(_read_log(cluster, pod.metadata.name))
        if facts is not None:
            facts_by_node[pod.spec.node_name] = facts
    return facts_by_node


def _is_readable(pod: Pod) -> bool:
    """Return whether its log can be read: the kubelet of an absent node would time out."""
    ready = any(
        condition.type == "Ready" and condition.status == "True"
        for condition in pod.status.conditions
    )
    return ready and not pod.deleting and bool(pod.spec.node_name)


def _read_log(cluster: Cluster, name: str) -> str:
    """Return the end of a pod's log; empty when its kubelet does not provide it."""
    try:
        return cluster.log(f"{_PODS}/{name}", tail_lines=_TAIL_LINES)
    except ClusterError:
        return ""


def parse(log: str) -> GpuFacts | None:
    """Return the newest document in a log; None when it has none."""
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
        for entry in (listed[:_MAX_GPUS] if isinstance(listed, list) else ())
        if (detail := _detail(entry)) is not None
    )
    return GpuFacts(
        driver_version=_text(gpu.get("driver_version")),
        cuda_version=_text(gpu.get("cuda_version")),
        attached_gpus=_count(gpu.get("attached_gpus"), len(details)),
        details=details,
    )


def _detail(value: Any) -> GpuDetail | None:
    name = _text(value.get("product_name")) if isinstance(value, dict) else ""
    if not name:
        return None
    return GpuDetail(
        product_name=name,
        fb_memory_usage=_usage(value.get("fb_memory_usage")),
        bar1_memory_usage=_usage(value.get("bar1_memory_usage")),
    )


def _usage(value: Any) -> Usage:
    if not isinstance(value, dict):
        return Usage()
    return Usage(**{name: _text(value.get(name)) for name in ("total", "used", "free")})


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    printable = (character for character in str(value) if character.isprintable())
    return "".join(printable).strip()[:_MAX_TEXT]


def _count(value: Any, default: int) -> int:
    text = _text(value)
    if text.isascii() and text.isdigit() and int(text) <= _MAX_GPUS:
        return int(text)
    return default
