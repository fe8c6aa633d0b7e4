"""The `deployment` section of the file: the services that run, their replicas and profiles."""

from dataclasses import dataclass

from app.spaces.ldl import profiles
from app.spaces.ldl.diagnostics import quote
from app.spaces.ldl.fields import (
    Node,
    entries,
    integer,
    nearest,
    text,
    warn_unknown,
)
from app.spaces.ldl.profiles import Profile
from app.spaces.ldl.services import Service

MAX_COUNT = 100

_ENTRY_KEYS = frozenset({"profile", "count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A running service: `count` replicas; `profile` is None if the file names none."""

    path: str
    count: int = 1
    profile: Profile | None = None


def read(root: Node, services: dict[str, Service]) -> dict[str, Placement]:
    """The placement of every service that runs, in the order of `services`.

    A service that `deployment` does not name runs only as a dependency of another.
    """
    deployment = root.get("deployment")
    named = dict(entries(deployment))
    for name, node in named.items():
        if name not in services:
            near = nearest(name, services)
            hint = f"; did you mean {quote(near)}?" if near else ""
            node.refuse(f"there is no service of this name{hint}")
    if not named:
        deployment.warn("is missing; every service runs once")
    compute_profiles = _Profiles(root)
    roots = [name for name in services if name in named or not named]
    placements = {name: _placement(deployment.get(name), name, compute_profiles) for name in roots}
    for name, dependent in _dependencies(services, roots).items():
        path, count = services[name].path, placements[dependent].count
        placements[name] = Placement(path=path, count=count, profile=compute_profiles.get(name))
    for name in [name for name in services if name not in placements]:
        root.findings.warn(services[name].path, "is not in `deployment` and does not run")
    return {name: placements[name] for name in services if name in placements}


def _dependencies(services: dict[str, Service], roots: list[str]) -> dict[str, str]:
    """Services that run only as dependencies, each with the root that needs it."""
    root_of = {name: name for name in roots}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        for dependency in services[name].depends_on:
            if dependency in services and dependency not in root_of:
                root_of[dependency] = root_of[name]
                waiting.append(dependency)
    return {name: root for name, root in root_of.items() if name not in roots}


class _Profiles:
    """The profiles of the file; each is read once, however many services name it."""

    def __init__(self, root: Node) -> None:
        self._compute = root.get("profiles").get("compute")
        warn_unknown(root.get("profiles"), frozenset({"compute", "placement"}))
        self._nodes = dict(entries(self._compute))
        self._read: dict[str, Profile] = {}

    def get(self, name: str) -> Profile | None:
        """The profile named `name`, or None."""
        if name in self._nodes and name not in self._read:
            self._read[name] = profiles.read(self._nodes[name])
        return self._read.get(name)

    def resolve(self, node: Node, name: str) -> Profile | None:
        """The profile that `node` names; refused if the file has only others."""
        if not self._nodes:
            node.warn(
                "names a profile, but `profiles.compute` has none; a share of the order is used"
            )
            return None
        profile = self.get(name)
        if profile is None:
            near = nearest(name, self._nodes)
            hint = f"; did you mean {quote(near)}?" if near else ""
            node.refuse(f"`profiles.compute` has no {quote(name)}{hint}")
        return profile


def _placement(node: Node, service: str, compute_profiles: _Profiles) -> Placement:
    entry = _entry(node)
    if entry is None:
        return Placement(path=node.path, profile=compute_profiles.get(service))
    warn_unknown(entry, _ENTRY_KEYS)
    count = integer(entry.get("count"), 1, MAX_COUNT)
    name = (text(entry.get("profile")) or "").strip()
    if name:
        profile = compute_profiles.resolve(entry.get("profile"), name)
    else:
        profile = compute_profiles.get(service)
        if profile is not None:
            entry.warn(f"names no profile; the one named {quote(service)} is used")
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
        node.warn(f"names several placements; only {quote(chosen)} is used")
    entry = placements[chosen]
    if entry.value is not None and not isinstance(entry.value, dict):
        entry.refuse("must be a mapping with `profile` and `count`")
        return None
    return entry
