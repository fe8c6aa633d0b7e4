"""The worker's account on a cluster, with the role and policies of the installation."""

import base64
import json
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import yaml

from k8s.api.client import Cluster, connect
from tests.support.documents import ROOT
from tests.support.waiting import eventually

INSTALL = ROOT / "k8s" / "install"
WORKER = "computing-provider-worker"
BUILD = "computing-provider-build"
LABELS = {"app.kubernetes.io/managed-by": "computing-provider"}
SECURITY = "pod-security.kubernetes.io/enforce"
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@dataclass(frozen=True)
class Account:
    """The worker's account in an installation of its own.

    Attributes:
        cluster: With the operator's credentials.
        namespace: Of the account.
        tenant: A tenant's namespace, which the account made.
        http: Speaks to the API server with the account's token.
    """

    cluster: Cluster
    namespace: str
    tenant: str
    http: httpx2.Client

    def act(self, method: str, path: str, body: Any = None, *, patch: str = "") -> tuple[int, str]:
        """Return status and body of a request."""
        media = f"application/{patch}-patch+json" if patch else "application/json"
        media = media.replace("apply-patch+json", "apply-patch+yaml")
        answer = self.http.request(
            method, path, content=json.dumps(body), headers={"content-type": media}
        )
        return answer.status_code, answer.text


def _documents(suffix: str, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield accounts and policies of the installation under names of their own."""
    files = (INSTALL / "base" / "accounts.yaml", *sorted((INSTALL / "policies").glob("*.yaml")))
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            kind, metadata = document["kind"], document.get("metadata", {})
            if kind in {"Kustomization", "Namespace"}:
                continue
            if kind in CLUSTER_SCOPED or metadata.get("namespace") == BUILD:
                metadata["name"] += suffix
            if "roleRef" in document:
                document["roleRef"]["name"] += suffix
            for subject in document.get("subjects", ()):
                subject["namespace"] = namespace
            if kind == "ValidatingAdmissionPolicyBinding":
                document["spec"]["policyName"] += suffix
            if kind == "ServiceAccount":
                metadata["namespace"] = namespace
            yield document


def _kubectl(*words: str, given: str = "") -> str:
    done = subprocess.run(
        ["kubectl", *words], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def installed_account() -> Iterator[Account]:
    """An installation's accounts and policies, and the worker's token; gone afterwards."""
    suffix = f"-{secrets.token_hex(4)}"
    namespace = f"attack{suffix}"
    text = yaml.safe_dump_all(_documents(suffix, namespace))
    _kubectl("create", "namespace", namespace)
    _kubectl(
        "apply",
        "-f",
        str(INSTALL / "policies" / "namespaces.yaml"),
        "--server-side",
        "--force-conflicts",
        "--selector=app.kubernetes.io/component=namespace",
    )
    tenant = f"ns-0x{secrets.token_hex(20)}"
    try:
        _kubectl("apply", "-f", "-", given=text)
        token = _kubectl("-n", namespace, "create", "token", WORKER).strip()
        view = json.loads(
            _kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        )
        server = view["clusters"][0]["cluster"]
        trusted = ssl.create_default_context(
            cadata=base64.b64decode(server["certificate-authority-data"]).decode()
        )
        headers = {"authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=server["server"], verify=trusted, headers=headers) as http:
            yield _ready(Account(connect(), namespace, tenant, http))
    finally:
        _kubectl("delete", "--ignore-not-found", "-f", "-", given=text)
        _kubectl("delete", "namespace", namespace, tenant, "--ignore-not-found", "--wait=false")


def _ready(account: Account) -> Account:
    """Wait until the policies hold, and make the tenant's namespace with the account."""

    def holds() -> bool:
        evil = namespace("default-like", {SECURITY: "privileged"})
        return account.act("POST", "/api/v1/namespaces?dryRun=All", evil)[0] == 403

    eventually("the policies hold", holds, seconds=60)
    made = namespace(account.tenant, {SECURITY: "baseline"})
    status, text = account.act("POST", "/api/v1/namespaces", made)
    assert status == 201, text
    return account


def namespace(name: str, labels: dict[str, str], **metadata: Any) -> dict[str, Any]:
    """Return a Namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": LABELS | labels, **metadata},
    }


def pod_spec(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a pod's spec as our templates make it, but for what is given."""
    limits = {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "x",
                "image": "busybox:latest",
                "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", "1000"],
                "resources": {"requests": limits, "limits": limits},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["NET_RAW"]},
                },
                **(container or {}),
            }
        ],
        **spec,
    }


def pod(name: str, spec: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a Pod."""
    metadata = {"name": name, "labels": LABELS if labels is None else labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(spec: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a Deployment of one pod."""
    marks = {"app": "x"} | (LABELS if labels is None else labels)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "labels": LABELS},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": marks}, "spec": spec},
        },
    }


def service(**spec: Any) -> dict[str, Any]:
    """Return a Service."""
    ports = [{"port": 80}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"selector": {"app": "x"}, "ports": ports} | spec,
    }


def secret(name: str, kind: str = "Opaque", **data: str) -> dict[str, Any]:
    """Return a Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "stringData": data,
    }


def job(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a Job of one pod."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "x"},
        "spec": {"template": {"metadata": {}, "spec": {"restartPolicy": "Never"} | spec}},
    }
