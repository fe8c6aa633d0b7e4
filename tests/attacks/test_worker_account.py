"""Attack: a compromised worker uses its account on the cluster.

Its token is taken, and everything is tried that leads to a node, another's Secret or another's
namespace. It fails at the API server: by the role, which names what may be written, and by the
admission policies of the installation, which hold what is written to what our templates make.
"""

import base64
import json
import os
import secrets
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
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
pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(300),
]


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


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
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


def test_pull_secrets(account: Account) -> None:
    """The one Secret that the worker writes for tenants can be applied, by its name alone."""
    path = f"/api/v1/namespaces/{account.tenant}/secrets/computing-provider-registry"
    applied = secret("computing-provider-registry", DOCKER, **CONFIG)
    query = "?fieldManager=computing-provider&force=true"
    status, text = account.act("PATCH", path + query, applied, patch="apply")
    assert status == 201, text
    assert account.act("GET", path)[0] == 200
    assert account.act("DELETE", path)[0] == 200


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


DOCKER = "kubernetes.io/dockerconfigjson"
CONFIG = {".dockerconfigjson": '{"auths": {}}'}
HOST = {"name": "h", "hostPath": {"path": "/"}}


def writes(account: Account) -> dict[str, tuple[int, str]]:
    """Try every write that leads out of the worker's reach; return what each was answered."""
    core, tenant, own = "/api/v1/namespaces", account.tenant, account.namespace
    build = f"{core}/{BUILD}"
    batch = "/apis/batch/v1/namespaces"
    dry = "?dryRun=All"
    copy = [{"op": "copy", "from": "/data/password", "path": "/type"}]
    test = [{"op": "test", "path": "/data/password", "value": "eA=="}]
    lowered = {"metadata": {"labels": {SECURITY: "privileged"}}}
    pinned = {"metadata": {"labels": {f"{SECURITY}-version": "v1.0"}}}
    crown = f"{core}/{own}/secrets/crown"
    token = secret("computing-provider-registry", "kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    act = account.act
    merge, operations = "merge", "json"
    return {
        "a namespace without a level": act(
            "POST", f"{core}{dry}", namespace(f"ns-{secrets.token_hex(4)}", {})
        ),
        "a privileged namespace": act(
            "POST",
            f"{core}{dry}",
            namespace(f"ns-{secrets.token_hex(4)}", {SECURITY: "privileged"}),
        ),
        "a namespace of another name": act(
            "POST", f"{core}{dry}", namespace("trespass", {SECURITY: "baseline"})
        ),
        "a lowered namespace": act("PATCH", f"{core}/{tenant}{dry}", lowered, patch=merge),
        "an old level": act("PATCH", f"{core}/{tenant}{dry}", pinned, patch=merge),
        "a finalizer": act(
            "PATCH", f"{core}/{tenant}{dry}", {"metadata": {"finalizers": ["a/b"]}}, patch=merge
        ),
        "the build namespace, deleted": act("DELETE", f"{build}{dry}"),
        "the proof namespace, lowered": act(
            "PATCH", f"{core}/computing-provider-proof{dry}", lowered, patch=merge
        ),
        "kube-system, labelled": act("PATCH", f"{core}/kube-system{dry}", lowered, patch=merge),
        "kube-system, deleted": act("DELETE", f"{core}/kube-system{dry}"),
        "a ConfigMap in kube-system": act(
            "POST",
            f"{core}/kube-system/configmaps{dry}",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}},
        ),
        "a Deployment beside the provider": act(
            "POST", f"/apis/apps/v1/namespaces/{own}/deployments{dry}", deployment(pod_spec())
        ),
        "a Deployment with pods that are not ours": act(
            "POST",
            f"/apis/apps/v1/namespaces/{tenant}/deployments{dry}",
            deployment(pod_spec(), labels={}),
        ),
        "an external address": act(
            "POST", f"{core}/{tenant}/services{dry}", service(externalIPs=["203.0.113.9"])
        ),
        "an external name": act(
            "POST",
            f"{core}/{tenant}/services{dry}",
            service(type="ExternalName", externalName="kubernetes.default.svc"),
        ),
        "a Service without pods": act(
            "POST", f"{core}/{tenant}/services{dry}", service(selector={})
        ),
        "a Secret of any name": act("POST", f"{core}/{tenant}/secrets{dry}", secret("x", a="b")),
        "a token's Secret": act(
            "POST",
            f"{core}/{tenant}/secrets{dry}",
            token,
        ),
        "a Secret beside the provider": act(
            "POST",
            f"{core}/{own}/secrets{dry}",
            secret("computing-provider-registry", DOCKER, **CONFIG),
        ),
        "an opaque Secret of a build": act(
            "POST", f"{build}/secrets{dry}", secret("build-x", a="b")
        ),
        "another's Secret, copied into an error": act("PATCH", crown, copy, patch=operations),
        "another's Secret, guessed": act("PATCH", crown, test, patch=operations),
        "another's Secret, read": act("GET", crown),
        "all Secrets": act("GET", "/api/v1/secrets"),
        "a Secret of kube-system, patched": act(
            "PATCH", f"{core}/kube-system/secrets/x", copy, patch=operations
        ),
        "a pod": act("POST", f"{core}/{tenant}/pods{dry}", pod("x", pod_spec())),
        "a shell in a pod": act("POST", f"{core}/kube-system/pods/x/exec?command=sh"),
        "a DaemonSet": act("POST", "/apis/apps/v1/namespaces/default/daemonsets", {}),
        "a role": act("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {}),
        "a binding": act("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {}),
        "a token": act("POST", f"{core}/{own}/serviceaccounts/default/token", {}),
        "a service account": act("POST", f"{core}/{tenant}/serviceaccounts", {}),
        "a node, patched": act("PATCH", "/api/v1/nodes/node-1", lowered, patch=merge),
        "a node's kubelet": act("GET", "/api/v1/nodes/node-1/proxy/pods"),
        "a volume": act("POST", "/api/v1/persistentvolumes", {}),
        "the policies, deleted": act(
            "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
        ),
        "a webhook": act(
            "POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {}
        ),
        "a certificate": act("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {}),
        "a Job in kube-system": act("POST", f"{batch}/kube-system/jobs{dry}", job(pod_spec())),
        "a quota, deleted": act("DELETE", f"{core}/{tenant}/resourcequotas/tenant"),
    }


def test_writes(account: Account) -> None:
    """What the worker has no business writing or reading is forbidden, all of it."""
    path = f"/api/v1/namespaces/{account.namespace}/secrets/crown"
    account.cluster.apply(path, secret("crown", password="S3cret+of/the=operator"))
    answers = writes(account)
    assert len(answers) >= 40
    assert {what: told for what, told in answers.items() if told[0] != 403} == {}
    assert not [told for told in answers.values() if "UzNjcmV0" in told[1] or "S3cret" in told[1]]


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
