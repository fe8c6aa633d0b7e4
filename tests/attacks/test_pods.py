"""Attack: a pod that reaches its node, another's Secret or the API server.

Whoever makes it, the worker or a controller for a Deployment of the worker's, it is tried in the
namespaces of tenants and of builds. It fails at the API server, by the policy on pods.
"""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.worker_account import BUILD, LABELS, Account, pod, pod_spec

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(300),
]
HOST = {"name": "h", "hostPath": {"path": "/"}}


@pytest.fixture
def create(account: Account) -> Callable[..., tuple[int, str]]:
    """Creates a pod as the operator, since controllers have other accounts than the worker."""

    def created(where: str, spec: dict[str, Any], **more: Any) -> tuple[int, str]:
        body = json.dumps(pod("x", spec, **more))
        done = subprocess.run(
            ["kubectl", "-n", where, "create", "--dry-run=server", "-f", "-"],
            input=body,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    assert account
    return created


TENANTS = {
    "the node's network": pod_spec(hostNetwork=True),
    "the node's processes": pod_spec(hostPID=True),
    "the node's memory": pod_spec(hostIPC=True),
    "the node's files": pod_spec(volumes=[HOST]),
    "a Secret's volume": pod_spec(volumes=[{"name": "s", "secret": {"secretName": "crown"}}]),
    "a token's volume": pod_spec(
        volumes=[
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ]
    ),
    "a token": pod_spec(automountServiceAccountToken=True),
    "another account": pod_spec(serviceAccountName="admin"),
    "another's password": pod_spec(imagePullSecrets=[{"name": "crown"}]),
    "privilege": pod_spec({"securityContext": {"privileged": True}}),
    "escalation": pod_spec({"securityContext": {"allowPrivilegeEscalation": True}}),
    "a capability": pod_spec(
        {
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"add": ["SYS_ADMIN"]},
            }
        }
    ),
    "a port of the node": pod_spec({"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "a Secret's variable": pod_spec(
        {
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "crown", "key": "password"}}}
            ]
        }
    ),
    "all of a Secret": pod_spec({"envFrom": [{"secretRef": {"name": "crown"}}]}),
}


@pytest.mark.parametrize("what", TENANTS)
def test_pods_of_tenants(
    account: Account, create: Callable[..., tuple[int, str]], what: str
) -> None:
    """Whoever makes a tenant's pod, it has nothing that our templates do not give."""
    code, text = create(account.tenant, TENANTS[what])
    assert code != 0
    assert "forbidden" in text


def test_a_tenants_pod(account: Account, create: Callable[..., tuple[int, str]]) -> None:
    """A pod of our templates is admitted."""
    assert create(account.tenant, pod_spec()) == (0, "")


def test_pods_of_v030(account: Account) -> None:
    """A pod of v0.3.0 runs with the token of `default`, and is labelled when its job is adopted."""
    path = f"/api/v1/namespaces/{account.tenant}/pods/legacy"
    spec = pod_spec({"securityContext": {}})
    del spec["automountServiceAccountToken"]
    account.cluster.apply(path, pod("legacy", spec, labels={"lad_app": "x"}))
    labelled = {"metadata": {"labels": LABELS}}
    status, text = account.act("PATCH", path, labelled, patch="merge")
    assert status == 200, text
    image = {"spec": {"containers": [{"name": "x", "image": "busybox:1"}]}}
    assert account.act("PATCH", path, image, patch="strategic-merge")[0] == 403


UNPRIVILEGED = {"runAsNonRoot": True, "runAsUser": 1000}
DROPPED = {"securityContext": {"capabilities": {"drop": ["ALL"]}}}
BUILDS = {
    "the node's files": pod_spec(DROPPED, volumes=[HOST]),
    "the node's network": pod_spec(DROPPED, hostNetwork=True),
    "the node's processes": pod_spec(DROPPED, hostPID=True),
    "privilege": pod_spec({"securityContext": {"privileged": True}}),
    "a capability": pod_spec(
        {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}}
    ),
    "a port of the node": pod_spec(DROPPED | {"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "root": pod_spec({"securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}}),
    "capabilities that were not dropped": pod_spec({"securityContext": {}}),
    "credentials where steps run": pod_spec(
        DROPPED | {"name": "buildkitd", "volumeMounts": [{"name": "s", "mountPath": "/s"}]},
        volumes=[{"name": "s", "secret": {"secretName": "build-x"}}],
    ),
    "another account": pod_spec(DROPPED, serviceAccountName="admin"),
    "a restart": pod_spec(DROPPED, restartPolicy="Always"),
}


@pytest.mark.parametrize("what", BUILDS)
def test_pods_of_builds(create: Callable[..., tuple[int, str]], what: str) -> None:
    """The namespace of builds is privileged for Pod Security, and no pod of it is."""
    spec = {"restartPolicy": "Never"} | BUILDS[what]
    spec["securityContext"] = UNPRIVILEGED
    code, text = create(BUILD, spec)
    assert code != 0
    assert "forbidden" in text


def test_a_builds_pod(create: Callable[..., tuple[int, str]]) -> None:
    """A pod as a build needs it is admitted."""
    needed = {"capabilities": {"drop": ["ALL"], "add": ["SETGID", "SETUID"]}}
    spec = pod_spec({"securityContext": needed}, restartPolicy="Never")
    spec["securityContext"] = UNPRIVILEGED
    assert create(BUILD, spec) == (0, "")
