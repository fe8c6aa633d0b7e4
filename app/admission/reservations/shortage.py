"""Messages about missing room, for the sender of the job."""

from collections.abc import Mapping

from k8s.inventory import gpus
from k8s.inventory.quantities import ResourceAmounts

_GIB = 1 << 30
_NAMES = {"memory_bytes": "memory", "storage_bytes": "ephemeral storage"}


def shortage(
    asked: ResourceAmounts,
    *,
    models: tuple[tuple[str, ...], ...],
    free: Mapping[str, ResourceAmounts],
    nodes: int,
) -> str:
    """Return the reason why a pod fits nowhere: `needs 2 × NVIDIA-A4000, 1 free on node gpu-1`.

    Args:
        asked: The pod's requests.
        models: GPU products that its containers take.
        free: Free amounts on the nodes that have these products; the nearest one is named.
        nodes: The number of nodes for tenants.
    """
    if not nodes:
        return "no node of this provider takes pods at the moment"
    if not free and not asked.gpus:
        return "needs no GPU, and each node that takes pods is for those that do"
    if not free:
        return f"needs {_gpus(asked.gpus, models)}, which no node has"
    name = min(free, key=lambda node: (_lacking(asked, free[node]), node))
    missing = asked.missing(free[name])
    needs = " and ".join(_amount(resource, asked, models) for resource in missing)
    alone = len(missing) == 1
    left = " and ".join(_left(resource, free[name], alone=alone) for resource in missing)
    return f"needs {needs}, {left} free on node {name}"


def _lacking(asked: ResourceAmounts, free: ResourceAmounts) -> tuple[float, ...]:
    """The distance of a node from having room: GPUs before all else."""
    missing = asked.missing(free)
    shares = ((getattr(asked, key) - getattr(free, key)) / getattr(asked, key) for key in missing)
    return max(asked.gpus - free.gpus, 0), len(missing), sum(shares)


def _amount(name: str, asked: ResourceAmounts, models: tuple[tuple[str, ...], ...]) -> str:
    if name == "gpus":
        return _gpus(asked.gpus, models)
    return _plain(name, asked)


def _left(name: str, free: ResourceAmounts, *, alone: bool) -> str:
    """The free amount; when one resource is missing alone, only its number."""
    if name == "gpus" and alone:
        return str(free.gpus)
    text = f"{free.gpus} GPUs" if name == "gpus" else _plain(name, free)
    return text.rpartition(" ")[0] if alone and name in {"cpu_millis", "pods"} else text


def _plain(name: str, amounts: ResourceAmounts) -> str:
    if name == "cpu_millis":
        return f"{amounts.cpu_millis / 1000:g} CPU"
    if name == "pods":
        return f"{amounts.pods} pod{'' if amounts.pods == 1 else 's'}"
    if name == "gpus":
        return f"{amounts.gpus} GPUs"
    return f"{getattr(amounts, name) / _GIB:.4g} GiB of {_NAMES[name]}"


def _gpus(count: int, models: tuple[tuple[str, ...], ...]) -> str:
    named = dict.fromkeys(gpus.label(model) for wanted in models for model in wanted)
    return f"{count} × {' or '.join(named) or 'GPU'}"
