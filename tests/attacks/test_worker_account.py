"""Attack: a compromised worker uses its account on the cluster.

Its token is taken, and everything is tried that leads to a node, another's Secret or another's
namespace. It fails at the API server: by the role, which names what may be written, and by the
admission policies of the installation, which hold what is written to what our templates make.
"""

import os
import secrets

import pytest

from tests.support.worker_account import (
    BUILD,
    SECURITY,
    Account,
    deployment,
    job,
    namespace,
    pod,
    pod_spec,
    secret,
    service,
)

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(300),
]

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


def test_pull_secrets(account: Account) -> None:
    """The one Secret that the worker writes for tenants can be applied, by its name alone."""
    path = f"/api/v1/namespaces/{account.tenant}/secrets/computing-provider-registry"
    applied = secret("computing-provider-registry", DOCKER, **CONFIG)
    query = "?fieldManager=computing-provider&force=true"
    status, text = account.act("PATCH", path + query, applied, patch="apply")
    assert status == 201, text
    assert account.act("GET", path)[0] == 200
    assert account.act("DELETE", path)[0] == 200
