"""Objects on the simulated API server and on a real one, with one outcome."""

import uuid

import pytest
import urllib3

from k8s.api.client import Cluster
from k8s.api.errors import (
    Conflict,
    NotFound,
    Refused,
    Unavailable,
)
from tests.support.contract_objects import (
    config_map,
    deployment,
    deployment_of,
    live_pods,
    pods_of,
    wait,
)


def test_apply(cluster: Cluster, namespace: str) -> None:
    """An object is made, changed field by field and left alone when nothing changes."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    made = cluster.apply(path, config_map(namespace, "one", a="1", b="2"))
    again = cluster.apply(path, config_map(namespace, "one", a="1", b="2"))
    changed = cluster.apply(path, config_map(namespace, "one", a="3"))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert changed["data"] == {"a": "3"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    version = int(changed["metadata"]["resourceVersion"])
    assert version > int(made["metadata"]["resourceVersion"])
    assert cluster.get(path)["data"] == {"a": "3"}


def test_dry_run(cluster: Cluster, namespace: str) -> None:
    """A dry run answers what would be, and changes nothing."""
    path = deployment_of(namespace)
    would = cluster.apply(path, deployment(namespace, 1), dry_run=True)
    assert would["spec"]["progressDeadlineSeconds"] == 600
    assert would["metadata"]["generation"] == 1
    with pytest.raises(NotFound):
        cluster.get(path)


def test_service(cluster: Cluster, namespace: str) -> None:
    """A Service keeps its address and its node port when it is applied again."""
    path = f"/api/v1/namespaces/{namespace}/services/web"
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]},
    }
    made = cluster.apply(path, manifest)["spec"]
    changed = {"type": "NodePort", "selector": {"a": "c"}, "ports": [{"port": 80}]}
    again = cluster.apply(path, {**manifest, "spec": changed})
    assert again["spec"]["clusterIP"] == made["clusterIP"]
    assert again["spec"]["ports"] == made["ports"]
    assert 30000 <= made["ports"][0]["nodePort"] <= 32767
    assert made["ports"][0]["targetPort"] == 80
    inner = {"ports": [{"port": 80}], "selector": {"a": "c"}}
    assert "nodePort" not in cluster.apply(path, {**manifest, "spec": inner})["spec"]["ports"][0]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("", {"x", "y", "z"}),
        ("team=a", {"x", "y"}),
        ("team==b", {"z"}),
        ("team!=a", {"z"}),
        ("team in (b, c)", {"z"}),
        ("team notin (b),team", {"x", "y"}),
        ("!team", set()),
    ],
)
def test_list(cluster: Cluster, namespace: str, selector: str, found: set[str]) -> None:
    """Lists hold what their selector selects."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name, team in (("x", "a"), ("y", "a"), ("z", "b")):
        cluster.apply(f"{path}/{name}", config_map(namespace, name, team=team))
    listed = {one["metadata"]["name"] for one in cluster.list(path, selector=selector)}
    assert listed - {"kube-root-ca.crt"} == found


def test_pages(cluster: Cluster, namespace: str) -> None:
    """A list comes in pages of one version, whose items leave their kind out."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in "abc":
        cluster.apply(f"{path}/{name}", config_map(namespace, name, team="pages"))
    first = cluster.get(path, limit="2", labelSelector="team=pages")
    assert (first["kind"], len(first["items"])) == ("ConfigMapList", 2)
    assert "kind" not in first["items"][0]
    token = first["metadata"]["continue"]
    rest = cluster.get(path, **{"continue": token}, limit="2", labelSelector="team=pages")
    assert [one["metadata"]["name"] for one in rest["items"]] == ["c"]
    assert not rest["metadata"].get("continue")
    with pytest.raises(Refused) as refused:
        cluster.get(path, **{"continue": "nonsense", "limit": "2"})
    assert refused.value.status == 400


def test_errors(cluster: Cluster, namespace: str) -> None:
    """An impossible request is refused with the same status, reason and object."""
    inside = f"/api/v1/namespaces/{namespace}/configmaps"
    said: list[tuple[int, str]] = []
    for path, manifest in (
        (f"{inside}/UPPER_case", config_map(namespace, "UPPER_case")),
        (f"{inside}/a", config_map(namespace, "b")),
        (f"{inside}/a", deployment(namespace, 1)),
        ("/api/v1/namespaces/not-there/configmaps/a", config_map("not-there", "a")),
    ):
        with pytest.raises(Refused) as refused:
            cluster.apply(path, manifest)
        said.append((refused.value.status, refused.value.reason))
    assert said == [(422, "Invalid"), (400, "BadRequest"), (400, "BadRequest"), (404, "NotFound")]
    for path in (f"{inside}/none", "/api/v1/nonsense", f"{pods_of(namespace)}/none/log"):
        with pytest.raises(NotFound):
            cluster.get(path)
    with pytest.raises(NotFound, match=r'deployments\.apps "web" not found'):
        cluster.get(deployment_of(namespace))


def test_selector(cluster: Cluster, namespace: str) -> None:
    """A Deployment's selector has to fit its pods, and cannot be changed."""
    manifest = deployment(namespace, 1)
    manifest["spec"]["selector"]["matchLabels"] = {"other": "x"}
    with pytest.raises(Refused, match="`selector` does not match template `labels`") as refused:
        cluster.apply(deployment_of(namespace), manifest)
    assert refused.value.status == 422
    cluster.apply(deployment_of(namespace), deployment(namespace, 1))
    manifest["spec"]["template"]["metadata"]["labels"]["other"] = "x"
    with pytest.raises(Refused, match="field is immutable"):
        cluster.apply(deployment_of(namespace), manifest)


def test_delete(cluster: Cluster, namespace: str) -> None:
    """A deletion is for the object that is meant, and for one that is gone means nothing."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/one"
    made = cluster.apply(path, config_map(namespace, "one"))
    with pytest.raises(Conflict, match="UID in the precondition"):
        cluster.delete(path, uid=str(uuid.uuid4()))
    changed = cluster.apply(path, config_map(namespace, "one") | {"data": {"new": "x"}})
    old, new = (one["resourceVersion"] for one in (made["metadata"], changed["metadata"]))
    with pytest.raises(Conflict, match="ResourceVersion in the precondition"):
        cluster.delete(path, uid=made["metadata"]["uid"], version=old)
    cluster.delete(path, uid=made["metadata"]["uid"], version=new)
    cluster.delete(path)
    with pytest.raises(NotFound):
        cluster.get(path)


def test_namespace(cluster: Cluster, namespace: str) -> None:
    """A namespace goes with everything in it, and takes nothing in while it does."""
    path = f"/api/v1/namespaces/{namespace}"
    cluster.apply(deployment_of(namespace), deployment(namespace, 1))
    wait(lambda: live_pods(cluster, namespace))
    cluster.delete(path)
    with pytest.raises((Unavailable, NotFound)):
        cluster.apply(f"{path}/configmaps/late", config_map(namespace, "late"))
    wait(lambda: _is_gone(cluster, path))
    assert not cluster.list(pods_of(namespace))


def _is_gone(cluster: Cluster, path: str) -> bool:
    try:
        cluster.get(path)
    except NotFound:
        return True
    return False


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_unauthenticated(cluster: Cluster) -> None:
    """A request without credentials is not answered."""
    url = f"{cluster._configuration.host}/api/v1/pods"
    with urllib3.PoolManager(cert_reqs="CERT_NONE") as pool:
        answer = pool.request("GET", url, headers={"Authorization": "Bearer wrong"})
    assert answer.status == 401
    assert answer.json()["reason"] == "Unauthorized"
