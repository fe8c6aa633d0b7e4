"""One scenario after another on the simulated API server and on a real one, with one outcome."""

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import urllib3

from k8s.api import client, watch
from k8s.api.client import Cluster
from k8s.api.errors import (
    Conflict,
    NotFound,
    Refused,
    Unavailable,
)
from k8s.api.objects import Deployment, Pod
from k8s.health import health, problems
from k8s.naming import labels
from tests.support.simulated_cluster import serving


@pytest.fixture(scope="module", params=["simulated", "real"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Each of the two."""
    if request.param == "simulated":
        kubeconfig = tmp_path_factory.mktemp("simulated") / "kubeconfig"
        with serving(kubeconfig, startup_seconds=0.5, history=100) as simulated:
            yield simulated.cluster
    elif os.environ.get("KUBECONFIG"):
        yield client.connect()
    else:
        pytest.skip("needs a cluster: set KUBECONFIG")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that is deleted afterwards."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(f"/api/v1/namespaces/{name}", manifest)
    yield name
    cluster.delete(f"/api/v1/namespaces/{name}")


def wait(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace, "labels": {"team": data.get("team", "a")}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str, revision: int, **container: Any) -> dict[str, Any]:
    """A Deployment of one pod, which sleeps unless told otherwise."""
    marks = {labels.COMPONENT: "web", labels.REVISION: str(revision)}
    web = {
        "name": "web",
        "image": "busybox:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "echo hello; exec sleep 1000"],
        **container,
    }
    pod = {"terminationGracePeriodSeconds": 1, "containers": [web]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "labels": marks},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {labels.COMPONENT: "web"}},
            "template": {"metadata": {"labels": marks}, "spec": pod},
        },
    }


def pods_of(namespace: str) -> str:
    """The path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def deployment_of(namespace: str) -> str:
    """The path of a namespace's Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


def live_pods(cluster: Cluster, namespace: str) -> list[Pod]:
    """The pods that are not being deleted."""
    found = [msgspec.convert(one, Pod) for one in cluster.list(pods_of(namespace))]
    return [pod for pod in found if not pod.deleting]


def is_ready(pod: Pod) -> bool:
    """Whether it serves."""
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def look(
    cluster: Cluster, namespace: str, revision: int, *, ahead: timedelta = timedelta()
) -> health.Health:
    """The health of the Deployment, as judged so far ahead of time."""
    made = cluster.get(deployment_of(namespace))
    return health.assess(
        live_pods(cluster, namespace),
        [msgspec.convert(made, Deployment)],
        components={"web": 1},
        revision=revision,
        now=datetime.now(UTC) + ahead,
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
    """What cannot be done is refused with the same status, reason and object of the sentence."""
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


def test_rolling_update(cluster: Cluster, namespace: str) -> None:
    """A new version comes up beside the old one, which goes once the new one is ready."""
    path = deployment_of(namespace)
    first = cluster.apply(path, deployment(namespace, 1))
    wait(lambda: look(cluster, namespace, 1).ready)
    old = live_pods(cluster, namespace)[0]
    assert cluster.log(f"{pods_of(namespace)}/{old.metadata.name}", tail_lines=5)
    second = cluster.apply(path, deployment(namespace, 2, image="busybox"))
    assert second["metadata"]["generation"] == first["metadata"]["generation"] + 1
    serving: list[int] = []
    while not look(cluster, namespace, 2).ready:
        serving.append(sum(is_ready(pod) for pod in live_pods(cluster, namespace)))
    assert min(serving) == 1
    wait(lambda: len(cluster.list(pods_of(namespace))) == 1)
    status = msgspec.convert(cluster.get(path), Deployment).status
    assert (status.observed_generation, status.updated_replicas, status.available_replicas) == (
        second["metadata"]["generation"],
        1,
        1,
    )
    cluster.delete(path)
    wait(lambda: not cluster.list(pods_of(namespace)))


@pytest.mark.parametrize(
    ("container", "category", "words"),
    [
        ({"image": "nginx:does-not-exist"}, health.Category.IMAGE_PULL, "not found"),
        ({"command": ["false"]}, health.Category.CRASH_LOOP, "web keeps crashing: exit code 1"),
        (
            {"resources": {"limits": {"cpu": "10k"}}},
            health.Category.UNSCHEDULABLE,
            " nodes are available: 1 Insufficient cpu",
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "none"}}]},
            health.Category.CONFIG_ERROR,
            'web cannot be started: configmap "none" not found',
        ),
    ],
)
def test_problems(
    cluster: Cluster,
    namespace: str,
    container: dict[str, Any],
    category: health.Category,
    words: str,
) -> None:
    """What goes wrong with a pod is told in the same words."""
    cluster.apply(deployment_of(namespace), deployment(namespace, 1, **container))
    seen: list[health.PodProblem] = []

    def is_told() -> bool:
        """A crashing container is down and up by turns: the first look that tells counts."""
        problem = look(cluster, namespace, 1, ahead=problems.GRACE).problem
        seen.extend([problem] if problem else [])
        return bool(seen)

    wait(is_told)
    assert seen[0].category == category
    assert words in seen[0].message


def test_quota(cluster: Cluster, namespace: str) -> None:
    """Pods that a quota does not allow are refused, as the Deployment says."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": namespace},
        "spec": {"hard": {"requests.cpu": "10m"}},
    }
    cluster.apply(f"/api/v1/namespaces/{namespace}/resourcequotas/small", quota)
    wait(lambda: _is_enforced(cluster, namespace))
    asked = {"resources": {"limits": {"cpu": "20m"}}}
    cluster.apply(deployment_of(namespace), deployment(namespace, 1, **asked))
    wait(lambda: look(cluster, namespace, 1).problem)
    problem = look(cluster, namespace, 1).problem
    assert problem is not None
    assert problem.category is health.Category.REFUSED
    assert problem.message.endswith(
        "is forbidden: exceeded quota: small, requested: requests.cpu=20m, used: requests.cpu=0, "
        "limited: requests.cpu=10m"
    )


def _is_enforced(cluster: Cluster, namespace: str) -> bool:
    """Whether the quota has been taken note of."""
    quota = cluster.get(f"/api/v1/namespaces/{namespace}/resourcequotas/small")
    return bool(quota["status"].get("hard")) if "status" in quota else True


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


def lines(cluster: Cluster, path: str, **query: str) -> list[dict[str, Any]]:
    """The events of one watch request."""
    with cluster.stream(path, read_timeout_seconds=10, watch="true", **query) as stream:
        return [json.loads(line) for line in stream]


def test_watch(cluster: Cluster, namespace: str) -> None:
    """A watch tells what has happened since a version, and what a selector no longer selects."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = cluster.apply(f"{path}/a", config_map(namespace, "a", team="a"))["metadata"][
        "resourceVersion"
    ]
    cluster.apply(f"{path}/b", config_map(namespace, "b", team="a"))
    cluster.apply(f"{path}/b", config_map(namespace, "b", team="a", more="x"))
    cluster.apply(f"{path}/a", config_map(namespace, "a", team="b"))
    cluster.delete(f"{path}/b")
    selected = {"labelSelector": "team=a", "timeoutSeconds": "1"}
    told = lines(cluster, path, resourceVersion=version, **selected)
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [
        ("ADDED", "b"),
        ("MODIFIED", "b"),
        ("DELETED", "a"),
        ("DELETED", "b"),
    ]
    assert told[0]["object"]["kind"] == "ConfigMap"
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in told]
    assert versions == sorted(set(versions))
    assert min(versions) > int(version)


def test_watch_from_start(cluster: Cluster, namespace: str) -> None:
    """A watch without a version tells first what there is."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.apply(f"{path}/a", config_map(namespace, "a", team="start"))
    told = lines(cluster, path, labelSelector="team=start", timeoutSeconds="1")
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [("ADDED", "a")]


def test_expired(cluster: Cluster) -> None:
    """A version from before a kind was known ends its watch with an error that says so."""
    path = "/apis/gateway.networking.k8s.io/v1/httproutes"
    told = lines(cluster, path, resourceVersion="1", timeoutSeconds="1")
    assert [one["type"] for one in told] == ["ERROR"]
    status = told[0]["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_unauthenticated(cluster: Cluster) -> None:
    """Who does not say who they are is not answered."""
    url = f"{cluster._configuration.host}/api/v1/pods"
    with urllib3.PoolManager(cert_reqs="CERT_NONE") as pool:
        answer = pool.request("GET", url, headers={"Authorization": "Bearer wrong"})
    assert answer.status == 401
    assert answer.json()["reason"] == "Unauthorized"


def test_follow(cluster: Cluster, namespace: str) -> None:
    """The watch loop tells a pod's life from the listing on."""
    stopped = threading.Event()
    events = watch.follow(
        cluster,
        pods_of(namespace),
        Pod,
        selector=f"{labels.COMPONENT}=web",
        stopped=stopped,
        on_error=lambda message, _: pytest.fail(message),
    )
    assert next(events) == watch.Listed(())
    cluster.apply(deployment_of(namespace), deployment(namespace, 1))
    for event in events:
        if isinstance(event, watch.Changed) and is_ready(event.object):
            cluster.delete(deployment_of(namespace))
        if isinstance(event, watch.Deleted):
            stopped.set()
