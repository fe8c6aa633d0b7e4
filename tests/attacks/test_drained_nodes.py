"""Attack: keep a node from being drained.

A tenant orders two replicas that never become ready. A PodDisruptionBudget then forbids each of
their evictions, and `kubectl drain` hangs. It fails because every budget of ours, tenants' and the
provider's own, lets pods go that are not ready.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from k8s import render
from k8s.workload import Capabilities, Workload
from tests.support.documents import ROOT

OFFER = Capabilities(node_ports=True, load_balancers=True)


def _workloads() -> Iterator[Workload]:
    for path in (ROOT / "tests" / "k8s" / "workloads").glob("*.json"):
        yield msgspec.json.decode(path.read_bytes(), type=Workload)


def _manifests() -> Iterator[Any]:
    for workload in _workloads():
        yield from render.workload(workload, OFFER)
    for path in (ROOT / "k8s" / "install").rglob("*.yaml"):
        yield from filter(None, yaml.safe_load_all(path.read_text("utf-8")))


def test_pods_that_are_not_ready() -> None:
    """No budget counts a pod that is not ready, so that a drain ends whatever a tenant runs."""
    budgets = [item for item in _manifests() if item.get("kind") == "PodDisruptionBudget"]
    assert len(budgets) > 1
    assert {item["spec"].get("unhealthyPodEvictionPolicy") for item in budgets} == {"AlwaysAllow"}
