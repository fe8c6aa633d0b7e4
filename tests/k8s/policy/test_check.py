"""The policy on objects of tenants, whatever templates say."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from k8s import render
from k8s.policy import check
from k8s.workload import Capabilities, Workload
from tests.support.documents import ROOT

OFFER = Capabilities(node_ports=True, load_balancers=True, blocked_networks=("1.2.3.0/24",))
WORKLOAD = msgspec.json.decode(
    (ROOT / "tests" / "k8s" / "workloads" / "everything.json").read_bytes(), type=Workload
)
MANIFESTS = render.workload(WORKLOAD, OFFER)


def _find(manifests: list[Any], kind: str, name: str = "") -> Any:
    of_kind = (manifest for manifest in manifests if manifest["kind"] == kind)
    return next(manifest for manifest in of_kind if name in manifest["metadata"]["name"])


def _pod(manifests: list[Any]) -> Any:
    return _find(manifests, "Deployment")["spec"]["template"]["spec"]


def _container(manifests: list[Any]) -> Any:
    return _pod(manifests)["containers"][0]


def _egress(manifests: list[Any]) -> Any:
    return _find(manifests, "NetworkPolicy", "net-")["spec"]["egress"]


def _set(part: Callable[[list[Any]], Any], key: str, value: Any) -> Callable[[list[Any]], None]:
    def change(manifests: list[Any]) -> None:
        part(manifests)[key] = value

    return change


def _drop(kind: str, name: str = "") -> Callable[[list[Any]], None]:
    return lambda manifests: manifests.remove(_find(manifests, kind, name))


def _of(kind: str, *path: str, name: str = "") -> Callable[[list[Any]], Any]:
    def part(manifests: list[Any]) -> Any:
        found = _find(manifests, kind, name)
        for key in path:
            found = found[key]
        return found

    return part


def _add(manifest: dict[str, Any]) -> Callable[[list[Any]], None]:
    return lambda manifests: manifests.append(manifest)


def _policy(*path: str) -> Callable[[list[Any]], Any]:
    return _of("NetworkPolicy", *path, name="net-")


PEER: dict[str, Any] = {"podSelector": {}}
CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["NET_RAW"]}}
HOST_PATH = [{"name": "x", "hostPath": {"path": "/"}}]
TOKEN = [{"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]
CASES = {
    "a kind of its own": _add({"kind": "ClusterRole", "apiVersion": "rbac/v1", "metadata": {}}),
    "a bare pod": _add({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}}),
    "another version": _set(_of("Service"), "apiVersion", "v2"),
    "another namespace": _set(_of("Service", "metadata"), "namespace", "kube-system"),
    "another namespace's name": _set(_of("Namespace", "metadata"), "name", "kube-system"),
    "no owner": _set(_of("ConfigMap", "metadata"), "labels", {}),
    "privileged pods": _set(
        _of("Namespace", "metadata", "labels"),
        "pod-security.kubernetes.io/enforce",
        "privileged",
    ),
    "no namespace": _drop("Namespace"),
    "no quota": _drop("ResourceQuota"),
    "no limit range": _drop("LimitRange"),
    "no default deny": _drop("NetworkPolicy", "default-deny"),
    "an open default": _set(
        _of("NetworkPolicy", "spec", name="default-deny"), "egress", [{"to": [PEER]}]
    ),
    "a narrow default": _set(
        _of("NetworkPolicy", "spec", name="default-deny"),
        "podSelector",
        {"matchLabels": {"a": "b"}},
    ),
    "hostNetwork": _set(_pod, "hostNetwork", value=True),
    "hostPID": _set(_pod, "hostPID", value=True),
    "hostIPC": _set(_pod, "hostIPC", value=True),
    "hostPath": _set(_pod, "volumes", HOST_PATH),
    "a token by a volume": _set(_pod, "volumes", TOKEN),
    "an endless emptyDir": _set(_pod, "volumes", [{"name": "x", "emptyDir": {}}]),
    "a token": _set(_pod, "automountServiceAccountToken", value=True),
    "an account": _set(_pod, "serviceAccountName", "default"),
    "a node": _set(_pod, "nodeName", "node-1"),
    "init containers": _set(_pod, "initContainers", [{"name": "x"}]),
    "service links": _set(_pod, "enableServiceLinks", value=True),
    "no seccomp": _set(_pod, "securityContext", {}),
    "no grace": _set(_pod, "terminationGracePeriodSeconds", 86_400),
    "no containers": _set(_pod, "containers", []),
    "privileged": _set(_container, "securityContext", CONTEXT | {"privileged": True}),
    "escalation": _set(_container, "securityContext", {"capabilities": {"drop": ["ALL"]}}),
    "raw sockets": _set(_container, "securityContext", {"allowPrivilegeEscalation": False}),
    "a capability": _set(
        _container,
        "securityContext",
        CONTEXT | {"capabilities": {"drop": ["NET_RAW"], "add": ["SYS_ADMIN"]}},
    ),
    "unconfined": _set(
        _container, "securityContext", CONTEXT | {"seccompProfile": {"type": "Unconfined"}}
    ),
    "a host port": _set(_container, "ports", [{"containerPort": 80, "hostPort": 80}]),
    "no limits": _set(_container, "resources", {}),
    "a secret": _set(_container, "env", [{"name": "a", "valueFrom": {"secretKeyRef": {}}}]),
    "propagation": _set(
        _container,
        "volumeMounts",
        [{"name": "a", "mountPath": "/a", "mountPropagation": "Bidirectional"}],
    ),
    "a lifecycle": _set(_container, "lifecycle", {"postStart": {}}),
    "any pods": _set(_of("Service", "spec"), "selector", {"app": "x"}),
    "an outside name": _set(_of("Service", "spec"), "externalName", "kube.example"),
    "external addresses": _set(_of("Service", "spec"), "externalIPs", ["1.2.3.4"]),
    "ExternalName": _set(_of("Service", "spec"), "type", "ExternalName"),
    "another's pods": _set(_of("Deployment", "spec", "selector"), "matchLabels", {"a": "b"}),
    "a default backend": _set(_of("Ingress", "spec"), "defaultBackend", {}),
    "any egress": _set(_policy("spec"), "egress", [{}]),
    "egress to all pods": _set(_policy("spec"), "egress", [{"to": [PEER]}]),
    "egress to a namespace": _set(_policy("spec"), "egress", [{"to": [{"namespaceSelector": {}}]}]),
    "egress to the cluster": _set(
        _policy("spec"), "egress", [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    ),
    "egress to one host": _set(
        _policy("spec"), "egress", [{"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}]}]
    ),
    "egress to what is blocked": _set(
        _policy("spec"), "egress", [{"to": [{"ipBlock": {"cidr": "1.2.3.7/32"}}]}]
    ),
    "egress to no network": _set(
        _policy("spec"), "egress", [{"to": [{"ipBlock": {"cidr": "nowhere"}}]}]
    ),
    "any ingress": _set(_policy("spec"), "ingress", [{"ports": [{"port": 80}]}]),
    "one direction": _set(_policy("spec"), "policyTypes", ["Ingress"]),
    "other pods": _set(_policy("spec"), "podSelector", {}),
    "a missing part": _set(_of("Deployment", "spec"), "template", None),
}


def test_what_is_rendered_passes() -> None:
    """The product's own templates keep to every rule."""
    check.check(MANIFESTS, WORKLOAD, OFFER)


@pytest.mark.parametrize("case", CASES)
def test_violations(case: str) -> None:
    """Every weakening is found, and named with its object."""
    manifests = deepcopy(MANIFESTS)
    CASES[case](manifests)
    assert manifests != MANIFESTS
    with pytest.raises(check.Violation) as found:
        check.check(manifests, WORKLOAD, OFFER)
    assert found.value.rule
    assert found.value.object


def test_what_is_not_offered() -> None:
    """Services of a type that the operator does not offer are violations."""
    with pytest.raises(check.Violation, match="not offered"):
        check.check(MANIFESTS, WORKLOAD, Capabilities())


def test_a_tighter_template_passes() -> None:
    """An operator may be stricter than the rules."""
    manifests = deepcopy(MANIFESTS)
    labels = _find(manifests, "Namespace")["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "restricted"
    context = _container(manifests)["securityContext"]
    context |= {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    _egress(manifests).pop()
    check.check(manifests, WORKLOAD, OFFER)
