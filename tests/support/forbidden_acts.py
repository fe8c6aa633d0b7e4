"""Acts that are forbidden to the provider's accounts, and to strangers beside its pods."""

import json
import re
import shlex
import uuid
from collections.abc import Iterable
from typing import Any

from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.naming import names
from tests.support.installation import NAMESPACE, PROCESSES, Installation
from tests.support.waiting import eventually

SYSTEM = f"system:serviceaccount:{NAMESPACE}:{NAMESPACE}"
# 1: it is not even compared with its source. The base's own is there, whoever made it.
BYTECODE = """
import asyncio, importlib.util, app.processes.web
for one in (asyncio, app.processes.web):
    flags = open(importlib.util.cache_from_source(one.__file__), "rb").read(5)[4]
print(flags)
"""
# What each account must not do, though others of ours or an attacker may want to.
FORBIDDEN = {
    "web": ("list pods", "get secrets", "list namespaces", "create deployments"),
    "clock": ("list pods", "get secrets", "list nodes", "delete namespaces"),
    "redis": ("list pods", "get secrets"),
    "watcher": (
        *("get secrets", "list secrets", "list configmaps", "create pods", "delete pods"),
        *("create pods/exec", "patch deployments", "delete namespaces", "patch nodes"),
        "create serviceaccounts/token",
    ),
    "worker": (
        *("get secrets", "list secrets", "create pods", "create pods/exec", "delete pods"),
        *("patch nodes", "create roles", "create clusterrolebindings", "create daemonsets"),
        *("delete persistentvolumes", "create serviceaccounts/token", "impersonate users"),
        *("delete resourcequotas", "watch pods", "update validatingadmissionpolicies"),
    ),
}
# What the worker's role allows, and the boundary does not.
OUTSIDE = (
    "create configmap trespass -n kube-system",
    "create configmap trespass -n default",
    f"delete deployment web -n {NAMESPACE}",
    f"delete networkpolicy redis -n {NAMESPACE}",
    "create job trespass --image=busybox -n kube-system",
    "create namespace trespass",
    f"delete namespace {NAMESPACE}",
    "label namespace default app.kubernetes.io/managed-by=computing-provider lab-ns=default",
)


def check_pods(installation: Installation) -> None:
    """No container runs as root, can write, or has a token that it does not need."""
    namespace = installation.cluster.get(f"/api/v1/namespaces/{NAMESPACE}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    script = "id -u; touch /new 2>/dev/null || echo cannot; ls /var/run/secrets 2>/dev/null || true"
    seen = {one: installation.execute(one, script).split() for one in PROCESSES}
    tokenless = ["65532", "cannot"]
    assert seen == {
        "web": tokenless,
        "clock": tokenless,
        "worker": [*tokenless, "kubernetes.io"],
        "watcher": [*tokenless, "kubernetes.io"],
    }
    tools = "command -v gcc cc make buildah git || true; find / -name .cache 2>/dev/null || true"
    assert installation.execute("web", tools) == ""
    assert installation.execute("web", f"python -c {shlex.quote(BYTECODE)}") == "1\n"


def outcome(cluster: Cluster, name: str, spec: dict[str, Any]) -> str:
    """Run a pod in `default` to its end and return what it wrote."""
    path = f"/api/v1/namespaces/default/pods/{name}"
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    cluster.apply(path, manifest)

    def ended() -> bool:
        return cluster.get(path)["status"].get("phase") in {"Succeeded", "Failed"}

    eventually(f"{name} has ended", ended, seconds=60)
    told = cluster.log(path, tail_lines=100)
    cluster.delete(path)

    def gone() -> bool:
        try:
            cluster.get(path)
        except NotFound:
            return True
        return False

    eventually(f"{name} is gone", gone, seconds=60)
    return told


def check_accounts(installation: Installation) -> None:
    """The API server refuses to each account what its process does not need; asked, and tried."""
    asked = [(name, act) for name, acts in FORBIDDEN.items() for act in acts]
    assert [one for one, told in zip(asked, may(installation, asked), strict=True) if told] == []
    tried = {
        "web": "get pods -A",
        "clock": "get nodes",
        "watcher": "get secrets -A",
        "worker": "get secrets -A",
    }
    for name, act in tried.items():
        assert "is forbidden: User" in attempt(installation, name, act)
    assert "NAME" in attempt(installation, "watcher", "get nodes")


def may(installation: Installation, asked: Iterable[tuple[str, str]]) -> list[bool]:
    """Ask the API server whether each account may do what is beside it, anywhere."""
    reviews = []
    for name, act in asked:
        verb, _, kind = act.partition(" ")
        resource, _, part = kind.partition("/")
        attributes = {"verb": verb, "resource": resource, "group": group(resource)}
        spec = {
            "user": f"{SYSTEM}-{name}",
            "resourceAttributes": attributes | {"subresource": part},
        }
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": spec,
            }
        )
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    line = f"kubectl create -o json -f - <<'END'\n{everything}\nEND"
    told = re.findall(r'"allowed": (true|false)', installation.run(line))
    return [one == "true" for one in told]


def group(resource: str) -> str:
    """Return the API group of a resource."""
    if resource in {"deployments", "daemonsets"}:
        return "apps"
    if resource in {"roles", "clusterrolebindings"}:
        return "rbac.authorization.k8s.io"
    return "admissionregistration.k8s.io" if resource.startswith("validating") else ""


def attempt(installation: Installation, name: str, act: str) -> str:
    """Try something with an account's own token; return everything that is said."""
    file = installation.folder / f"{name}.kubeconfig"
    if not file.exists():
        token = installation.run(f"kubectl -n {NAMESPACE} create token {NAMESPACE}-{name}").strip()
        own = f"kubectl --kubeconfig {file} config"
        installation.run(
            f"kubectl config view --raw --minify --flatten > {file};"
            f" {own} set-credentials account --token {token};"
            f" {own} set-context --current --user account"
        )
    return installation.run(f"kubectl --kubeconfig {file} {act} 2>&1 || true")


def check_boundary(installation: Installation, wallet: str) -> None:
    """Outside the namespaces that the provider made, the worker writes nothing."""
    for act in OUTSIDE:
        told = attempt(installation, "worker", f"{act} --dry-run=server")
        assert "writes only in namespaces that the provider made" in told
    welcome = f"create configmap welcome -n {names.namespace(wallet)} --dry-run=server"
    assert "created" in attempt(installation, "worker", welcome)


def check_network(installation: Installation) -> None:
    """Whoever is not ours reaches web and nothing else."""
    look = "nc -w 2 {0} {1} </dev/null >/dev/null 2>&1 && echo open || echo closed"
    [redis] = installation.pods("redis")
    [watcher] = installation.pods("watcher")
    web = installation.pods("web")[0]
    doors = [
        (web["status"]["podIP"], 8085),
        (redis["status"]["podIP"], 6379),
        (watcher["status"]["podIP"], 6379),
    ]
    script = "; ".join(look.format(*door) for door in doors)
    container = {
        "name": "stranger",
        "image": "busybox:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", f"sleep 1; {script}"],
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    told = outcome(installation.cluster, f"stranger-{uuid.uuid4().hex[:8]}", spec)
    assert told.split() == ["open", "closed", "closed"]
