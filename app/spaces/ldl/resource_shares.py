"""Division of the order among services: each gets what it asks for, or a share of the rest.

For each resource, requests of profiles come first. The replicas of services that leave it open
share the rest evenly. Without an order they get the resource's default.
"""

from dataclasses import dataclass, replace

from app.spaces.ldl import gpu_requests, quantities
from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import Findings, quote
from app.spaces.ldl.hardware import DEFAULT_STORAGE_BYTES
from app.spaces.ldl.volumes import ServiceStorage
from k8s.inventory import gpus as products
from k8s.workload import Gpu, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A service's request for one resource; if `open`, its share is added to `amount`."""

    service: str
    path: str
    count: int
    amount: int
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResourceKind:
    """A resource: its name, its field in a profile, the least share of it, and the default."""

    word: str
    field: str
    least: int
    default: int


_CPU = _ResourceKind(word="CPU", field="cpu.units", least=1, default=1000)
_MEMORY = _ResourceKind(
    word="memory", field="memory.size", least=16 * quantities.MIB, default=1 << 30
)
_STORAGE = _ResourceKind(
    word="ephemeral storage",
    field="storage",
    least=16 * quantities.MIB,
    default=DEFAULT_STORAGE_BYTES,
)


def share(
    placements: dict[str, Placement],
    storages: dict[str, ServiceStorage],
    *,
    order: Resources | None,
    main: str | None,
    findings: Findings,
) -> dict[str, Resources]:
    """The resources of each replica of every service; what exceeds the order is refused.

    If no profile mentions GPUs, those of the order go to the service `main` (else to the first),
    divided among its replicas, so that a Space that only names images uses what it paid for.
    """
    requests = _requests(placements, storages)
    cpu = _grant(_CPU, requests[_CPU.field], order.cpu_millis if order else None, findings)
    memory = _grant(
        _MEMORY, requests[_MEMORY.field], order.memory_bytes if order else None, findings
    )
    storage = _grant(
        _STORAGE, requests[_STORAGE.field], order.storage_bytes if order else None, findings
    )
    gpu = _gpus(placements, order=order, main=main, findings=findings)
    return {
        name: Resources(
            cpu_millis=cpu[name],
            memory_bytes=memory[name],
            storage_bytes=storage[name],
            gpu=gpu.get(name),
        )
        for name in placements
    }


def _requests(
    placements: dict[str, Placement], storages: dict[str, ServiceStorage]
) -> dict[str, list[_Request]]:
    requests: dict[str, list[_Request]] = {_CPU.field: [], _MEMORY.field: [], _STORAGE.field: []}
    for name, placement in placements.items():
        profile, storage = placement.profile, storages[name]
        cpu = profile.cpu_millis if profile else None
        memory = profile.memory_bytes if profile else None
        for field, amount, mounted_bytes in (
            (_CPU.field, cpu, 0),
            (_MEMORY.field, memory, storage.memory_bytes),
            (_STORAGE.field, storage.own_bytes, storage.disk_bytes),
        ):
            requests[field].append(
                _Request(
                    service=name,
                    path=f"{profile.path}.{field}" if profile else placement.path,
                    count=placement.count,
                    amount=(amount or 0) + mounted_bytes,
                    open=amount is None,
                )
            )
    return requests


def _grant(
    kind: _ResourceKind, requests: list[_Request], available: int | None, findings: Findings
) -> dict[str, int]:
    share = kind.default if available is None else _share(kind, requests, available, findings)
    return {
        request.service: request.amount + (share if request.open else 0) for request in requests
    }


def _share(
    kind: _ResourceKind, requests: list[_Request], available: int, findings: Findings
) -> int:
    rest = available - sum(request.amount * request.count for request in requests)
    if rest < 0:
        _refuse_excess(kind, requests, available, findings)
        return 0
    replicas = sum(request.count for request in requests if request.open)
    share = rest // replicas if replicas else 0
    if replicas and share < kind.least:
        for request in requests:
            if request.open:
                findings.refuse(
                    request.path,
                    f"nothing is left of the order's {kind.word} ({_format(kind, available)}) "
                    f"for {quote(request.service)}, which does not say how much it needs",
                )
    return share


def _refuse_excess(
    kind: _ResourceKind, requests: list[_Request], available: int, findings: Findings
) -> None:
    asking = [request for request in requests if request.amount]
    alone = [request for request in asking if request.amount * request.count > available]
    ordered = _format(kind, available)
    reason = f"; the order has {ordered}"
    if not alone:
        reason = f", which together with the other services exceeds the order's {ordered}"
    for request in alone or asking:
        times = f" × {request.count}" if request.count > 1 else ""
        amount = f"{_format(kind, request.amount)}{times}"
        findings.refuse(
            request.path, f"{quote(request.service)} asks for {amount} of {kind.word}{reason}"
        )


def _format(kind: _ResourceKind, amount: int) -> str:
    return f"{quantities.cores(amount)} cores" if kind is _CPU else quantities.size(amount)


def _gpus(
    placements: dict[str, Placement],
    *,
    order: Resources | None,
    main: str | None,
    findings: Findings,
) -> dict[str, Gpu]:
    requests = {
        name: placement.profile.gpu
        for name, placement in placements.items()
        if placement.profile and placement.profile.gpu
    }
    if order is None:
        return {
            name: Gpu(count=request.units, models=gpu_requests.labels(request.models))
            for name, request in requests.items()
            if request.units
        }
    if not requests:
        return _assign_all(placements, order.gpu, main)
    granted: dict[str, Gpu] = {}
    for name, request in requests.items():
        if request.units:
            granted[name] = _grant_gpu(request, order.gpu, findings)
    requested = sum(gpu.count * placements[name].count for name, gpu in granted.items())
    available = order.gpu.count if order.gpu else 0
    if order.gpu and requested > available:
        for name in granted:
            findings.refuse(
                f"{requests[name].path}.units",
                f"the services ask for {requested} GPUs; the order has {available}",
            )
    return granted


def _grant_gpu(request: gpu_requests.GpuRequest, ordered: Gpu | None, findings: Findings) -> Gpu:
    if ordered is None:
        findings.refuse(f"{request.path}.units", f"asks for {request.units}; the order has no GPU")
        return Gpu(count=request.units)
    product = ordered.models[0] if ordered.models else ""
    matches = not product or any(products.is_same_model(model, product) for model in request.models)
    if request.models and not matches:
        models = ", ".join(quote(model) for model in request.models[:5])
        findings.refuse(f"{request.path}.attributes", f"asks for {models}; the order has {product}")
    return replace(ordered, count=request.units)


def _assign_all(
    placements: dict[str, Placement], ordered: Gpu | None, main: str | None
) -> dict[str, Gpu]:
    name = main if main in placements else next(iter(placements), None)
    if ordered is None or name is None:
        return {}
    count = ordered.count // placements[name].count
    return {name: replace(ordered, count=count)} if count else {}
