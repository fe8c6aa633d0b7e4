"""The discovery documents: groups, versions and kinds."""

from app.demo.cluster.resources import ALL, GROUPS, Json

VERSION: Json = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.0-simulated",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "simulated",
}

_VERBS = ["delete", "get", "list", "patch", "watch"]


def core() -> Json:
    """The versions of the group without a name."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups() -> Json:
    """Every other group."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*g) for g in GROUPS]}


def _group(name: str, version: str) -> Json:
    preferred = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [preferred], "preferredVersion": preferred}


def kinds(group: str, version: str) -> Json | None:
    """The kinds of a group and version, or None when there are none."""
    kinds = [
        {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": _VERBS,
        }
        for kind in ALL
        if (kind.group, kind.version) == (group, version)
    ]
    name = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name}
    return {**head, "resources": kinds} if kinds else None
