"""The simulated API server as a process."""

import copy
import json
import signal
import stat
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8s.api.errors import Refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
SPEC_FIELDS = st.sampled_from(
    ["replicas", "selector", "template", "strategy", "ports", "type", "hard", "clusterIP"]
)


def request(simulated: Any, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """Send a request with the right token."""
    config = json.loads(simulated.kubeconfig.read_text())
    address = config["clusters"][0]["cluster"]["server"]
    token = config["users"][0]["user"]["token"]
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request(
            method,
            address + path,
            body=body,
            headers={"Authorization": f"Bearer {token}"} | headers,
        )


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_life(start: Any, by: signal.Signals) -> None:
    """Its kubeconfig is its owner's alone, works once it is there, and goes when it goes."""
    server = start()
    assert stat.S_IMODE(server.kubeconfig.stat().st_mode) == 0o600
    assert server.cluster.get("/version")["major"] == "1"
    with server.cluster.stream("/api/v1/pods", read_timeout_seconds=5, watch="true"):
        assert server.end(by) in {0, 1, -signal.SIGINT}
    assert list(server.kubeconfig.parent.iterdir()) == []


def test_token(simulated: Any) -> None:
    """Nothing is told to who lacks the token."""
    for path in ("/version", "/api/v1/pods", "/healthz"):
        for token in ("", "Bearer ", "Bearer x"):
            answer = request(simulated, "GET", path, Authorization=token)
            assert answer.status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/api", 200),
        ("GET", "/apis", 200),
        ("GET", "/apis/gateway.networking.k8s.io/v1", 200),
        ("GET", "/apis/gateway.networking.k8s.io/v2", 404),
        ("GET", "/", 404),
        ("GET", "/api/v1/pods/x", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/namespaces/default/pods/a/b/c", 404),
        ("POST", "/api/v1/namespaces", 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/api/v1/pods?limit=x", 400),
        ("GET", "/api/v1/pods?labelSelector=a==b==c", 400),
        ("GET", "/api/v1/pods?fieldSelector=nonsense", 400),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dsimulated-1", 200),
        ("GET", "/api/v1/pods?fieldSelector=status.phase!%3DRunning,metadata.name!%3Dx", 200),
        ("PATCH", "/api/v1/namespaces/x", 415),
    ],
)
def test_paths(simulated: Any, method: str, path: str, status: int) -> None:
    """Each path and method gets the status that a real API server gives."""
    answer = request(simulated, method, path)
    assert answer.status == status


def test_discovery(simulated: Any) -> None:
    """It tells which kinds it has."""
    found = simulated.cluster.get("/apis/gateway.networking.k8s.io/v1")["resources"]
    assert "httproutes" in [one["name"] for one in found]


def test_long_body(simulated: Any) -> None:
    """A body without end is not read to its end."""
    kind = {"Content-Type": "application/apply-patch+yaml"}
    path = "/api/v1/namespaces/x?fieldManager=me"
    assert request(simulated, "PATCH", path, b"x" * (4 << 20), **kind).status == 413


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(
        [
            ("apps/v1", "Deployment", "/apis/apps/v1/namespaces/default/deployments/x"),
            ("v1", "Service", "/api/v1/namespaces/default/services/x"),
            ("v1", "ResourceQuota", "/api/v1/namespaces/kube-system/resourcequotas/x"),
            ("v1", "ConfigMap", "/api/v1/namespaces/default/configmaps/x"),
        ]
    ),
    st.dictionaries(SPEC_FIELDS, JSON, max_size=4),
    st.dictionaries(st.sampled_from(["labels", "annotations", "name"]), JSON, max_size=2),
)
def test_any_manifest(
    simulated: Any, target: tuple[str, str, str], spec: Any, metadata: dict[str, Any]
) -> None:
    """Any manifest is applied or refused with a reason, and everything goes on."""
    version, kind, path = target
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    statuses = []
    try:
        simulated.cluster.apply(path, manifest)
    except Refused as refused:
        statuses.append(refused.status)
    assert statuses in ([], [400], [422])


NONSENSE: tuple[Any, ...] = (None, "x", [{}], -1)
WHOLE = {
    "replicas": 1,
    "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
    "selector": {"matchLabels": {"app": "a"}},
    "template": {
        "metadata": {"labels": {"app": "a"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "volumes": [{"name": "w", "persistentVolumeClaim": {"claimName": "c"}}],
            "initContainers": [{"name": "i", "image": "b", "restartPolicy": "Always"}],
            "containers": [
                {
                    "name": "web",
                    "image": "nginx",
                    "command": ["a"],
                    "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c"}}}],
                    "envFrom": [{"secretRef": {"name": "s"}}],
                    "ports": [{"containerPort": 80}],
                    "resources": {"requests": {"cpu": "1"}},
                }
            ],
        },
    },
}


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: what it is in, and its key there."""
    keys = list(part if isinstance(part, dict) else range(len(part)))
    for key in keys:
        yield part, key
        if isinstance(part[key], dict | list):
            yield from places(part[key])


def test_spoiled_deployments(start: Any) -> None:
    """A Deployment with nonsense anywhere is refused or run, and others go on after it."""
    cluster = start(startup_seconds=0.1).cluster
    path = "/apis/apps/v1/namespaces/default/deployments"
    head = {"apiVersion": "apps/v1", "kind": "Deployment"}
    count = len(list(places(WHOLE)))
    for number in range(count):
        for nonsense in NONSENSE:
            spec = copy.deepcopy(WHOLE)
            part, key = list(places(spec))[number]
            part[key] = nonsense
            try:
                cluster.apply(f"{path}/x", {**head, "metadata": {"name": "x"}, "spec": spec})
            except Refused as refused:
                code = refused.status
                assert code in {400, 422}
    good = {
        "selector": {"matchLabels": {"app": "good"}},
        "template": {
            "metadata": {"labels": {"app": "good"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
        },
    }
    cluster.apply(f"{path}/good", {**head, "metadata": {"name": "good"}, "spec": good})
    deadline = time.monotonic() + 20
    while not cluster.get(f"{path}/good")["status"].get("readyReplicas"):
        assert time.monotonic() < deadline
