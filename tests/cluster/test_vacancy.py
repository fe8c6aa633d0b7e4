"""Namespaces that tenants have left, and their removal, on a real cluster."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.apply import apply, conditional_removal, namespaces
from k8s.naming import names
from k8s.workload import Capabilities
from tests.support import workloads
from tests.support.workloads import (
    component,
    eventually,
    gone,
    new_uuid,
)

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)


def test_a_namespace_is_vacant_when_its_workload_is_gone(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Pods and everything else of a task keep a namespace; what the cluster puts there does not."""
    workload = workloads.of(wallets(), component("web", "sleep 1000"))
    namespace = names.namespace(workload.wallet)
    apply.deploy(cluster, workload, Capabilities())
    assert not namespaces.is_vacant(cluster, namespace)
    gone(cluster, workload)
    assert namespaces.is_vacant(cluster, namespace)
    assert namespace not in namespaces.candidates(cluster)
    in_an_hour = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    assert namespace in namespaces.candidates(cluster, now=in_an_hour)
    marked = namespaces.mark(cluster, namespace)
    assert conditional_removal.remove(cluster, marked)
    eventually(lambda: namespace not in _names(cluster) or None, "the namespace to go")


def _names(cluster: Cluster) -> set[str]:
    found = cluster.list(url_paths.collection("Namespace", ""))
    return {one["metadata"]["name"] for one in found}


def test_a_deployment_saves_its_namespace(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Whoever deploys after the mark takes it off, and the removal does nothing."""
    workload = workloads.of(wallets(), component("web", "sleep 1000"))
    namespace = names.namespace(workload.wallet)
    apply.deploy(cluster, workload, Capabilities())
    gone(cluster, workload)
    marked = namespaces.mark(cluster, namespace)
    again = replace(workload, task_id=new_uuid())
    apply.deploy(cluster, again, Capabilities())
    assert not conditional_removal.remove(cluster, marked)
    metadata = cluster.get(f"{url_paths.collection('Namespace', '')}/{namespace}")["metadata"]
    assert "deletionTimestamp" not in metadata
    assert namespaces.MARK not in metadata.get("annotations", {})
    gone(cluster, again)
