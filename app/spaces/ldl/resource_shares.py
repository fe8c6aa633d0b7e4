"""How much of the order each service gets: what it asks for, or its share of what the others leave.

Per resource, what profiles ask for comes first. Services that leave it open share the rest evenly,
every replica as much as another. Without an order they get the kind's default.
"""

from dataclasses import dataclass, replace

from app.spaces.ldl import gpu_requests, quantities
from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import Findings, shown
from app.spaces.ldl.hardware import DEFAULT_STORAGE_BYTES
from app.spaces.ldl.volumes import Stored
from k8s.inventory import gpus as products
from k8s.workload import Gpu, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """What one service asks for of one resource: `open` when its share goes on top of `amount`."""

    service: str
    path: str
    count: int
    amount: int
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A resource: its name, its place in a profile, the least share of it, and the usual one."""

    word: str
    field: str
    least: int
    default: int


_CPU = _Kind(word="CPU", field="cpu.units", least=1, default=1000)
_MEMORY = _Kind(word="memory", field="memory.size", least=16 * quantities.MIB, default=1 << 30)
_STORAGE = _Kind(
    word="ephemeral storage",
    field="storage",
    least=16 * quantities.MIB,
    default=DEFAULT_STORAGE_BYTES,
)


def share(
    placements: dict[str, Placement],
    stored: dict[str, Stored],
    *,
    order: Resources | None,
    main: str | None,
    findings: Findings,
) -> dict[str, Resources]:
    """The resources of each replica of every service; what exceeds the order is refused.

    When no profile speaks of GPUs, those of the order go to the service `main` (else to the
    first), its replicas alike: that is how a Space that only names images uses what it paid for.
    """
    asks = _asks(placements, stored)
    cpu = _granted(_CPU, asks[_CPU.field], order.cpu_millis if order else None, findings)
    memory = _granted(_MEMORY, asks[_MEMORY.field], order.memory_bytes if order else None, findings)
    storage = _granted(
        _STORAGE, asks[_STORAGE.field], order.storage_bytes if order else None, findings
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


def _asks(placements: dict[str, Placement], stored: dict[str, Stored]) -> dict[str, list[_Ask]]:
    asks: dict[str, list[_Ask]] = {_CPU.field: [], _MEMORY.field: [], _STORAGE.field: []}
    for name, placement in placements.items():
        profile, mounted = placement.profile, stored[name]
        cpu = profile.cpu_millis if profile else None
        memory = profile.memory_bytes if profile else None
        for field, amount, extra in (
            (_CPU.field, cpu, 0),
            (_MEMORY.field, memory, mounted.memory_bytes),
            (_STORAGE.field, mounted.own_bytes, mounted.disk_bytes),
        ):
            asks[field].append(
                _Ask(
                    service=name,
                    path=f"{profile.path}.{field}" if profile else placement.path,
                    count=placement.count,
                    amount=(amount or 0) + extra,
                    open=amount is None,
                )
            )
    return asks


def _granted(
    kind: _Kind, asks: list[_Ask], available: int | None, findings: Findings
) -> dict[str, int]:
    part = kind.default if available is None else _part(kind, asks, available, findings)
    return {ask.service: ask.amount + (part if ask.open else 0) for ask in asks}


def _part(kind: _Kind, asks: list[_Ask], available: int, findings: Findings) -> int:
    rest = available - sum(ask.amount * ask.count for ask in asks)
    if rest < 0:
        _refuse_excess(kind, asks, available, findings)
        return 0
    replicas = sum(ask.count for ask in asks if ask.open)
    part = rest // replicas if replicas else 0
    if replicas and part < kind.least:
        for ask in asks:
            if ask.open:
                findings.refuse(
                    ask.path,
                    f"nothing is left of the order's {kind.word} ({_written(kind, available)}) "
                    f"for {shown(ask.service)}, which does not say how much it needs",
                )
    return part


def _refuse_excess(kind: _Kind, asks: list[_Ask], available: int, findings: Findings) -> None:
    asking = [ask for ask in asks if ask.amount]
    alone = [ask for ask in asking if ask.amount * ask.count > available]
    ordered = _written(kind, available)
    reason = f"; the order has {ordered}"
    if not alone:
        reason = f", which with the other services' is more than the order's {ordered}"
    for ask in alone or asking:
        times = f" × {ask.count}" if ask.count > 1 else ""
        amount = f"{_written(kind, ask.amount)}{times}"
        findings.refuse(ask.path, f"{shown(ask.service)} asks for {amount} of {kind.word}{reason}")


def _written(kind: _Kind, amount: int) -> str:
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
        return _whole_order(placements, order.gpu, main)
    granted = {}
    for name, request in requests.items():
        if request.units:
            granted[name] = _granted_gpu(request, order.gpu, findings)
    wanted = sum(gpu.count * placements[name].count for name, gpu in granted.items())
    available = order.gpu.count if order.gpu else 0
    if order.gpu and wanted > available:
        for name in granted:
            findings.refuse(
                f"{requests[name].path}.units",
                f"the services ask for {wanted} GPUs, the order has {available}",
            )
    return granted


def _granted_gpu(request: gpu_requests.GpuRequest, ordered: Gpu | None, findings: Findings) -> Gpu:
    if ordered is None:
        findings.refuse(f"{request.path}.units", f"asks for {request.units}; the order has no GPU")
        return Gpu(count=request.units)
    product = ordered.models[0] if ordered.models else ""
    matches = not product or any(products.same(model, product) for model in request.models)
    if request.models and not matches:
        wanted = ", ".join(shown(model) for model in request.models[:5])
        findings.refuse(f"{request.path}.attributes", f"asks for {wanted}; the order has {product}")
    return replace(ordered, count=request.units)


def _whole_order(
    placements: dict[str, Placement], ordered: Gpu | None, main: str | None
) -> dict[str, Gpu]:
    name = main if main in placements else next(iter(placements), None)
    if ordered is None or name is None:
        return {}
    count = ordered.count // placements[name].count
    return {name: replace(ordered, count=count)} if count else {}
