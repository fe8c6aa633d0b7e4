"""The `deployment` of the file: which services run, how often and with which profile."""

from dataclasses import dataclass

from app.spaces.ldl import profiles
from app.spaces.ldl.diagnostics import shown
from app.spaces.ldl.fields import (
    Node,
    entries,
    know,
    nearest,
    text,
    whole,
)
from app.spaces.ldl.profiles import Profile
from app.spaces.ldl.services import Service

MAX_COUNT = 100

_ENTRY_KEYS = frozenset({"profile", "count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How a service runs: `count` replicas; `profile` is None when the file names none."""

    path: str
    count: int = 1
    profile: Profile | None = None


def read(root: Node, services: dict[str, Service]) -> dict[str, Placement]:
    """The placement of every service that runs, in the order of `services`.

    A service that `deployment` does not name runs only as another one's dependency.
    """
    deployment = root.get("deployment")
    named = dict(entries(deployment))
    for name, node in named.items():
        if name not in services:
            near = nearest(name, services)
            hint = f"; did you mean {shown(near)}?" if near else ""
            node.refuse(f"there is no service of this name{hint}")
    if not named:
        deployment.warn("is missing; every service runs once")
    reader = _Profiles(root)
    roots = [name for name in services if name in named or not named]
    found = {name: _placement(deployment.get(name), name, reader) for name in roots}
    for name, wanting in _dependencies(services, roots).items():
        path, count = services[name].path, found[wanting].count
        found[name] = Placement(path=path, count=count, profile=reader.of(name))
    for name in [name for name in services if name not in found]:
        root.findings.warn(services[name].path, "is not in `deployment` and does not run")
    return {name: found[name] for name in services if name in found}


def _dependencies(services: dict[str, Service], roots: list[str]) -> dict[str, str]:
    """The services that run only because a root needs them, each with that root."""
    wanting = {name: name for name in roots}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        for other in services[name].depends_on:
            if other in services and other not in wanting:
                wanting[other] = wanting[name]
                waiting.append(other)
    return {name: root for name, root in wanting.items() if name not in roots}


class _Profiles:
    """Reads each profile once, however many services name it."""

    def __init__(self, root: Node) -> None:
        self._compute = root.get("profiles").get("compute")
        know(root.get("profiles"), frozenset({"compute", "placement"}))
        self._nodes = dict(entries(self._compute))
        self._read: dict[str, Profile] = {}

    def of(self, name: str) -> Profile | None:
        """The profile of that name, or None."""
        if name in self._nodes and name not in self._read:
            self._read[name] = profiles.read(self._nodes[name])
        return self._read.get(name)

    def named(self, node: Node, name: str) -> Profile | None:
        """The profile that `node` names; refused when there are others only."""
        if not self._nodes:
            node.warn("names a profile, but `profiles.compute` has none; the order's share counts")
            return None
        profile = self.of(name)
        if profile is None:
            near = nearest(name, self._nodes)
            hint = f"; did you mean {shown(near)}?" if near else ""
            node.refuse(f"`profiles.compute` has no {shown(name)}{hint}")
        return profile


def _placement(node: Node, service: str, reader: _Profiles) -> Placement:
    entry = _entry(node)
    if entry is None:
        return Placement(path=node.path, profile=reader.of(service))
    know(entry, _ENTRY_KEYS)
    count = whole(entry.get("count"), 1, MAX_COUNT)
    name = (text(entry.get("profile")) or "").strip()
    if name:
        profile = reader.named(entry.get("profile"), name)
    else:
        profile = reader.of(service)
        if profile is not None:
            entry.warn(f"names no profile; the one called {shown(service)} is taken")
    return Placement(path=entry.path, count=count or 1, profile=profile)


def _entry(node: Node) -> Node | None:
    if not isinstance(node.value, dict) or not node.value:
        if node.value is not None and node.value != {}:
            node.refuse("must be a mapping `lagrange: {profile: …, count: …}`")
        return None
    if node.value.keys() <= _ENTRY_KEYS:
        node.warn("should name a placement, such as `lagrange`, around `profile` and `count`")
        return node
    placements = dict(entries(node))
    chosen = "lagrange" if "lagrange" in placements else next(iter(placements))
    if len(placements) > 1:
        node.warn(f"names several placements; only {shown(chosen)} counts")
    entry = placements[chosen]
    if entry.value is not None and not isinstance(entry.value, dict):
        entry.refuse("must be a mapping with `profile` and `count`")
        return None
    return entry
