"""The scheduler, which places pods on nodes; and the quotas that refuse them."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from app.demo.cluster import selectors
from app.demo.cluster.object_store import ObjectStore
from app.demo.cluster.resources import (
    CLAIMS,
    NODES,
    PODS,
    QUOTAS,
    Json,
)
from k8s.inventory import quantities

Amounts = dict[str, Fraction]

_TO_BE_SAID = {f"{side}.{name}" for side in ("requests", "limits") for name in ("cpu", "memory")}
_NO_HELP = "Preemption is not helpful for scheduling."


def place(store: ObjectStore, pod: Json) -> tuple[str, str]:
    """The name of the node for a pod and an empty reason, or no name and why there is none."""
    if claim := _unbound_claim(store, pod):
        return "", claim
    nodes = store.find(NODES)
    reasons: dict[str, int] = {}
    for node in nodes:
        why = _why_not(store, pod, node)
        if not why:
            return node["metadata"]["name"], ""
        for reason in why:
            reasons[reason] = reasons.get(reason, 0) + 1
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    none = f"0/{len(nodes)} nodes are available"
    return "", f"{none}: {listed}. preemption: {none}: {len(nodes)} {_NO_HELP}"


def _unbound_claim(store: ObjectStore, pod: Json) -> str:
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes", []):
        name = volume.get("persistentVolumeClaim", {}).get("claimName", "")
        if not name:
            continue
        if not store.has(CLAIMS, namespace, name):
            return f'persistentvolumeclaim "{name}" not found'
        if store.get(CLAIMS, namespace, name).get("status", {}).get("phase") != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def _why_not(store: ObjectStore, pod: Json, node: Json) -> list[str]:
    if not _is_wanted(pod, selectors.labels(node)):
        return ["node(s) didn't match Pod's node affinity/selector"]
    name = node["metadata"]["name"]
    others = [other for other in store.find(PODS) if other["spec"].get("nodeName") == name]
    used = _total(_of_pod(other) for other in others if not _is_over(other))
    room = {k: quantities.parse(v) for k, v in node["status"]["allocatable"].items()}
    return [
        f"Insufficient {resource}"
        for resource, asked in _of_pod(pod).items()
        if asked and used.get(resource, Fraction(0)) + asked > room.get(resource, Fraction(0))
    ]


def _is_over(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _is_wanted(pod: Json, labels: Mapping[str, str]) -> bool:
    spec = pod["spec"]
    if any(labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
        return False
    affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    wanted = terms.get("nodeSelectorTerms")
    return not wanted or any(selectors.of(term)(labels) for term in wanted)


def refusal(store: ObjectStore, pod: Json) -> str:
    """Why the namespace's quotas do not allow the pod, in the API server's words, or nothing."""
    metadata = pod["metadata"]
    others = store.find(PODS, metadata["namespace"])
    used = _total(_counted(other) for other in others if not _is_over(other))
    asked = _counted(pod)
    for quota in store.find(QUOTAS, metadata["namespace"]):
        hard = {k: quantities.parse(v) for k, v in quota["spec"].get("hard", {}).items()}
        missing = sorted((hard.keys() & _TO_BE_SAID) - asked.keys())
        if missing:
            return _forbidden(pod, quota, f"failed quota: {{}}: must specify {','.join(missing)}")
        over = [
            k for k in sorted(hard.keys() & asked.keys()) if used.get(k, 0) + asked[k] > hard[k]
        ]
        if over:
            parts = zip(("requested", "used", "limited"), (asked, used, hard), strict=True)
            sums = ", ".join(f"{word}: {_written(amounts, over)}" for word, amounts in parts)
            return _forbidden(pod, quota, f"exceeded quota: {{}}, {sums}")
    return ""


def _counted(pod: Json) -> Amounts:
    """The amounts that a pod takes of quotas, by the names that quotas have for them."""
    requests, limits = _of_pod(pod), _of_pod(pod, "limits")
    return {
        "pods": Fraction(1),
        **{k: v for k, v in requests.items() if k in {"cpu", "memory", "ephemeral-storage"}},
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{f"limits.{name}": amount for name, amount in limits.items()},
    }


def _of_pod(pod: Json, side: str = "requests") -> Amounts:
    """The sum of the requests of a pod's containers, or of their limits (`side="limits"`)."""
    spec = pod["spec"]
    sidecars = [init for init in spec.get("initContainers", []) if init.get("restartPolicy")]
    return _total(_of_container(container, side) for container in (*sidecars, *spec["containers"]))


def _of_container(container: Json, side: str) -> Amounts:
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    asked = limits | (resources.get("requests") or {}) if side == "requests" else limits
    return {name: quantities.parse(amount) for name, amount in asked.items()}


def _total(parts: Iterable[Amounts]) -> Amounts:
    """The sums, name by name."""
    sums: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            sums[name] = sums.get(name, Fraction(0)) + amount
    return sums


def written(amount: Fraction) -> str:
    """The shortest usual form of an amount: `16Gi`, `2`, `100m`."""
    if amount.denominator != 1:
        return f"{int(amount * 1000)}m"
    for suffix, bits in (("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if amount and amount % (1 << bits) == 0:
            return f"{amount // (1 << bits)}{suffix}"
    return str(amount)


def _written(amounts: Amounts, keys: list[str]) -> str:
    return ",".join(f"{key}={written(amounts.get(key, Fraction(0)))}" for key in keys)


def _forbidden(pod: Json, quota: Json, why: str) -> str:
    name = quota["metadata"]["name"]
    return f'pods "{pod["metadata"]["name"]}" is forbidden: {why.format(name)}'
