"""Workloads to run on a cluster, and how to look at them."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.apply import apply
from k8s.naming import labels, names
from k8s.workload import Component, Container, File, Port, Resources, Workload
from tests.support.documents import ROOT

T = TypeVar("T")
WORKLOADS = ROOT / "tests" / "k8s" / "workloads"
IMAGE = "busybox:latest"
RESOURCES = Resources(cpu_millis=10, memory_bytes=32 << 20, storage_bytes=64 << 20)
PATIENCE_SECONDS = 60.0
SERVE = "mkdir -p /{port} && echo {page} > /{port}/index.html && httpd -p {port} -h /{port}"
LOOK = (
    "look() {{ page=$(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 $2 $3 2>/dev/null | tail -n 1);"
    " echo $1 ${{page:--}}; }};"
    "knock() {{ nc -w 1 $2 $3 </dev/null >/dev/null 2>&1 && echo $1 open || echo $1 closed; }};"
    "while true; do {looks}; echo round; sleep 1; done"
)


def new_uuid() -> str:
    """A uuid that nothing has."""
    text = secrets.token_hex(16)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def stored(name: str, wallet: str) -> Workload:
    """A workload of the stored ones, for another tenant, Space and task."""
    text = (WORKLOADS / f"{name}.json").read_bytes()
    workload = msgspec.json.decode(text, type=Workload)
    return replace(workload, wallet=wallet, space_uuid=new_uuid(), task_id=new_uuid())


def component(name: str, script: str, *ports: Port, files: tuple[File, ...] = ()) -> Component:
    """A service that runs a shell script, and ends at once when it is told to."""
    container = Container(
        name=name,
        image=IMAGE,
        resources=RESOURCES,
        command=("sh", "-c"),
        args=(f"trap exit TERM; {script} & wait",),
        ports=ports,
        files=files,
    )
    return Component(name=name, containers=(container,))


def of(wallet: str, *components: Component) -> Workload:
    """A workload of these components, of a Space and a task of its own."""
    return Workload(
        task_id=new_uuid(),
        space_uuid=new_uuid(),
        space_name="a Space",
        wallet=wallet,
        components=components,
    )


def eventually(look: Callable[[], T | None], what: str) -> T:
    """The result of `look`, once it is not None."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")


def pods(cluster: Cluster, workload: Workload, service: str = "") -> list[dict[str, Any]]:
    """The task's pods, or one component's."""
    selector = labels.task_selector(workload.task_id)
    if service:
        selector += f",{labels.COMPONENT}={names.dns_label(service)}"
    namespace = names.namespace(workload.wallet)
    return cluster.list(url_paths.collection("Pod", namespace), selector=selector)


def up(cluster: Cluster, workload: Workload) -> None:
    """Wait until all pods of the task are ready."""
    wanted = sum(component.replicas for component in workload.components)

    def ready() -> bool | None:
        conditions = [
            condition
            for pod in pods(cluster, workload)
            for condition in pod["status"].get("conditions", ())
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]
        return True if len(conditions) >= wanted else None

    eventually(ready, "all pods ready")


def sees(cluster: Cluster, workload: Workload, service: str, expected: dict[str, str]) -> None:
    """Wait until a whole round of what the service's script says is as expected."""
    path = url_paths.object_path(pods(cluster, workload, service)[0])
    end = time.monotonic() + PATIENCE_SECONDS
    found: dict[str, str] = {}
    while time.monotonic() < end and found != expected:
        time.sleep(0.5)
        _, *whole, _ = ["", *cluster.log(path, tail_lines=100).split("round\n")]
        found = dict(line.split(" ", 1) for line in "".join(whole[-1:]).splitlines())
    assert found == expected


def gone(cluster: Cluster, workload: Workload) -> None:
    """Remove the task, and wait until nothing of it is left."""
    namespace = names.namespace(workload.wallet)
    eventually(
        lambda: apply.remove(cluster, namespace=namespace, task_id=workload.task_id) or None,
        "everything gone",
    )


def left(cluster: Cluster, workload: Workload) -> list[str]:
    """The task's objects on the cluster, as `Kind/name`."""
    namespace = names.namespace(workload.wallet)
    return [
        f"{one['kind']}/{one['metadata']['name']}"
        for kind in (*apply.KINDS, "Pod")
        for one in apply._list(cluster, kind, namespace, workload.task_id)
    ]


def ingress_address(cluster: Cluster, workload: Workload) -> str:
    """The ingress controller's address, once it has taken the task's Ingress."""
    path = url_paths.collection("Ingress", names.namespace(workload.wallet))

    def address() -> str | None:
        (ingress,) = cluster.list(path, selector=labels.task_selector(workload.task_id))
        found = ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
        return str(found[0]["ip"]) if "ip" in found[0] else None

    return eventually(address, "the ingress controller to take the Ingress")
