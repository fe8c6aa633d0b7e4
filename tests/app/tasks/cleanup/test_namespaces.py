"""Garbage collection of vacant namespaces, on a real Redis and the simulated cluster."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from app.context import Context
from app.store import Change
from app.store.job_data import JobData
from app.store.records import State, Task
from app.tasks import transitions
from app.tasks.cleanup import namespaces
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.api.errors import NotFound
from k8s.apply import apply
from k8s.apply.conditional_removal import Version, remove
from k8s.apply.namespaces import MARK, mark
from k8s.naming import labels, names
from k8s.workload import Capabilities, Component, Container, Resources, Workload
from tests.support import market
from tests.support.simulated_cluster import SimulatedCluster, provider, serving
from tests.support.waiting import eventually

RESOURCES = Resources(cpu_millis=10, memory_bytes=32 << 20, storage_bytes=64 << 20)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    """A simulated cluster of its own, all of whose tenants are cleaned up."""
    with serving(tmp_path_factory.mktemp("simulated") / "kubeconfig") as cluster:
        yield cluster


@pytest.fixture
def context(tmp_path: Path, cluster: SimulatedCluster, redis_url: str) -> Iterator[Context]:
    """A provider on that cluster."""
    with provider(tmp_path, cluster, redis_url) as context:
        yield context


@pytest.fixture
def workload(monkeypatch: pytest.MonkeyPatch) -> Workload:
    """Something to deploy for a new tenant; whose namespace is old enough at once."""
    monkeypatch.setattr("k8s.apply.namespaces.OLD_ENOUGH", timedelta(seconds=-1))
    container = Container(name="web", image="nginx:1", resources=RESOURCES)
    return Workload(
        task_id=str(uuid.uuid4()),
        space_uuid=str(uuid.uuid4()),
        space_name="a Space",
        wallet=f"0x{uuid.uuid4().hex}",
        components=(Component(name="web", containers=(container,)),),
    )


def vacated(context: Context, workload: Workload) -> str:
    """Deploy, and remove it again; return the namespace that is left."""
    namespace = names.namespace(workload.wallet)
    apply.deploy(context.cluster, workload, Capabilities())
    eventually(
        "everything gone",
        lambda: apply.remove(context.cluster, namespace=namespace, task_id=workload.task_id),
    )
    return namespace


def is_there(cluster: Cluster, namespace: str) -> bool:
    """Tell whether a namespace is there and stays."""
    try:
        found = cluster.get(f"/api/v1/namespaces/{namespace}")
    except NotFound:
        return False
    return "deletionTimestamp" not in found["metadata"]


def remember(context: Context, workload: Workload, **fields: Any) -> Task:
    """Remember a task of the workload's tenant."""
    job = JobData(
        uuid=workload.task_id, duration=900, job_source_uri=f"{market.SPACES}/{uuid.uuid4()}"
    )
    born = transitions.accepted(job, host="a.example.com", now=1, start_timeout_seconds=60)
    after = changed(born.after, wallet=workload.wallet, **fields)
    context.store.commit(Change(before=None, after=after, at=time.time()))
    return after


def test_an_empty_namespace_is_removed(context: Context, workload: Workload) -> None:
    """Nothing of a tenant is left when nothing of theirs was; other namespaces stay."""
    namespace = vacated(context, workload)
    remember(context, workload, state=State.TERMINATED, ended_at=5.0)
    namespaces.clean(context, "")
    assert not is_there(context.cluster, namespace)
    for other in ("default", "kube-system"):
        assert is_there(context.cluster, other)


def test_a_young_namespace(
    context: Context, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace stays for an hour."""
    namespace = vacated(context, workload)
    monkeypatch.setattr("k8s.apply.namespaces.OLD_ENOUGH", timedelta(hours=1))
    namespaces.clean(context, "")
    assert is_there(context.cluster, namespace)


@pytest.mark.parametrize("state", [State.DEPLOYING, State.RUNNING, State.FAILED])
def test_a_tenant_with_a_task(context: Context, workload: Workload, state: State) -> None:
    """A namespace stays while our record has a task for it, though nothing is there yet."""
    namespace = vacated(context, workload)
    remember(context, workload, state=state)
    namespaces.clean(context, "")
    assert is_there(context.cluster, namespace)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ConfigMap", {"data": {"a": "b"}}),
        ("Service", {"spec": {"ports": [{"port": 80}]}}),
        ("NetworkPolicy", {"spec": {"podSelector": {}}}),
        ("PersistentVolumeClaim", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
        ("Pod", {"spec": {"containers": [{"name": "a", "image": "b"}]}}),
    ],
)
def test_a_namespace_with_something_in_it(
    context: Context, workload: Workload, kind: str, more: dict[str, Any]
) -> None:
    """A namespace stays while there is anything in it, whoever put it there."""
    namespace = vacated(context, workload)
    metadata = {"name": "someones", "namespace": namespace}
    stated = {"apiVersion": url_paths.api_version(kind), "kind": kind, "metadata": metadata, **more}
    context.cluster.apply(url_paths.object_path(stated), stated)
    namespaces.clean(context, "")
    assert is_there(context.cluster, namespace)


@pytest.mark.parametrize("missing", [labels.MANAGED_BY, labels.WALLET, labels.NAMESPACE])
def test_a_namespace_of_others(context: Context, workload: Workload, missing: str) -> None:
    """A namespace without all our labels stays: v0.3.0's, a cluster's, another provider's."""
    name = f"ns-0x{uuid.uuid4().hex}"
    said = {labels.MANAGED_BY: labels.MANAGER, labels.WALLET: "0x1", labels.NAMESPACE: name}
    del said[missing]
    stated = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": said},
    }
    context.cluster.apply(url_paths.object_path(stated), stated)
    del workload
    namespaces.clean(context, "")
    assert is_there(context.cluster, name)


def test_a_deployment_that_comes_in_between(context: Context, workload: Workload) -> None:
    """A namespace that is deployed into after it was marked is not removed."""
    namespace = vacated(context, workload)
    marked = mark(context.cluster, namespace)
    again = replace(workload, task_id=str(uuid.uuid4()))
    apply.deploy(context.cluster, again, Capabilities())
    assert not remove(context.cluster, marked)
    assert is_there(context.cluster, namespace)
    annotations = context.cluster.get(f"/api/v1/namespaces/{namespace}")["metadata"]
    assert MARK not in annotations.get("annotations", {})


def test_a_task_that_comes_in_between(
    context: Context, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that gets its plan after the first look is seen at the second."""
    namespace = vacated(context, workload)

    def marking(cluster: Cluster, name: str) -> Version:
        remember(context, workload, state=State.DEPLOYING)
        return mark(cluster, name)

    monkeypatch.setattr("k8s.apply.namespaces.mark", marking)
    namespaces.clean(context, "")
    assert is_there(context.cluster, namespace)


def test_a_namespace_made_anew(context: Context, workload: Workload) -> None:
    """Another namespace of the same name is not the one that was marked."""
    namespace = vacated(context, workload)
    marked = mark(context.cluster, namespace)
    context.cluster.delete(f"/api/v1/namespaces/{namespace}")
    eventually("it is gone", lambda: not namespaced(context.cluster, namespace))
    apply.deploy(context.cluster, workload, Capabilities())
    assert not remove(context.cluster, marked)
    assert is_there(context.cluster, namespace)


def namespaced(cluster: Cluster, namespace: str) -> bool:
    """Tell whether there is such a namespace, be it ending."""
    try:
        cluster.get(f"/api/v1/namespaces/{namespace}")
    except NotFound:
        return False
    return True
