"""Services grouped into pods: those that `depends-on` links share one, dependencies first."""

from collections import Counter
from dataclasses import dataclass

from app.spaces.ldl.deployment_section import Placement
from app.spaces.ldl.diagnostics import Findings, quote
from app.spaces.ldl.services import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Services that share a pod, dependencies first; no other of them depends on `name`."""

    name: str
    services: tuple[str, ...]
    count: int


def group(
    services: dict[str, Service], placements: dict[str, Placement], findings: Findings
) -> list[PodGroup]:
    """The pods of the placed services, in the file's order of their first service."""
    placed = {name: services[name] for name in placements}
    for service in placed.values():
        _check_names(service, services, findings)
    leaders = _leaders(placed)
    pods = []
    for leader in dict.fromkeys(leaders.values()):
        members = [name for name in placed if leaders[name] == leader]
        pods.append(_pod(members, placed, placements, findings))
    return pods


def _check_names(service: Service, services: dict[str, Service], findings: Findings) -> None:
    for name in service.depends_on:
        if name not in services:
            findings.refuse(f"{service.path}.depends-on", f"there is no service {quote(name)}")
        elif name == service.name:
            findings.refuse(f"{service.path}.depends-on", "a service cannot depend on itself")


def _leaders(placed: dict[str, Service]) -> dict[str, str]:
    leaders = {name: name for name in placed}
    for name, service in placed.items():
        for dependency in service.depends_on:
            if dependency in placed:
                kept, replaced = leaders[name], leaders[dependency]
                leaders = {
                    member: kept if leader == replaced else leader
                    for member, leader in leaders.items()
                }
    return leaders


def _pod(
    members: list[str],
    placed: dict[str, Service],
    placements: dict[str, Placement],
    findings: Findings,
) -> PodGroup:
    order = _start_order(members, placed, findings)
    dependents = Counter(name for member in members for name in placed[member].depends_on)
    name = next((member for member in members if not dependents[member]), members[0])
    count = placements[name].count
    for member in members:
        if placements[member].count != count:
            findings.refuse(
                f"{placements[member].path}.count",
                f"must be {count}, like that of {quote(name)}, whose pod it shares (`depends-on`)",
            )
    _check_ports(order, placed, findings)
    return PodGroup(name=name, services=tuple(order), count=count)


def _start_order(members: list[str], placed: dict[str, Service], findings: Findings) -> list[str]:
    order: list[str] = []
    waiting = list(members)
    while waiting:
        ready = next(
            (name for name in waiting if not set(placed[name].depends_on) & set(waiting)), None
        )
        if ready is None:
            cycle = ", ".join(quote(name) for name in waiting[:5])
            findings.refuse(
                f"{placed[waiting[0]].path}.depends-on",
                f"these services depend on each other: {cycle}",
            )
            return members
        waiting.remove(ready)
        order.append(ready)
    return order


def _check_ports(order: list[str], placed: dict[str, Service], findings: Findings) -> None:
    holders: dict[tuple[int, str], str] = {}
    for name in order:
        for exposure in placed[name].exposures:
            holder = holders.setdefault((exposure.number, exposure.protocol), name)
            if holder != name:
                findings.refuse(
                    f"{exposure.path}.port",
                    f"{exposure.number} is already used by {quote(holder)}, whose pod it shares "
                    "(`depends-on`)",
                )
