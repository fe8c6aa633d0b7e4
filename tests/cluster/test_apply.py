"""Workloads on a real cluster: applied, reached, kept apart, pruned, taken back and removed."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import urllib3

from k8s import apply, labels, names, offering, paths, render
from k8s.client import Cluster, connect
from k8s.errors import Conflict, NotFound, Refused, Unavailable
from k8s.workload import Component, Container, File, Offer, Port, Resources, Workload

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)

T = TypeVar("T")
WORKLOADS = Path(__file__).parents[1] / "k8s" / "workloads"
IMAGE = "busybox:latest"
RESOURCES = Resources(cpu_millis=10, memory_bytes=32 << 20, storage_bytes=64 << 20)
PATIENCE_SECONDS = 60.0
SERVE = "mkdir -p /www && echo {page} > /www/index.html && httpd -p {port} -h /www"
LOOK = (
    "look() {{ wget -qO- -T 2 $2 >/tmp/out 2>/dev/null && echo $1 $(cat /tmp/out) || echo $1 -; }};"
    "touch_() {{ nc -w 2 $2 $3 </dev/null >/dev/null 2>&1 && echo $1 open || echo $1 closed; }};"
    "while true; do {looks}; echo round; sleep 1; done"
)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names."""
    return connect()


@pytest.fixture
def wallets(cluster: Cluster) -> Iterator[Callable[[], str]]:
    """Wallets that nobody has; their namespaces go with the test."""
    made: list[str] = []

    def make() -> str:
        made.append(f"0x{secrets.token_hex(20)}")
        return made[-1]

    yield make
    for wallet in made:
        cluster.delete(f"/api/v1/namespaces/{names.namespace(wallet)}")


def _uuid() -> str:
    text = secrets.token_hex(16)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _stored(name: str, wallet: str) -> Workload:
    text = (WORKLOADS / f"{name}.json").read_bytes()
    workload = msgspec.json.decode(text, type=Workload)
    return replace(workload, wallet=wallet, space_uuid=_uuid(), task_id=_uuid())


def _service(name: str, script: str, *ports: Port, files: tuple[File, ...] = ()) -> Component:
    container = Container(
        name=name,
        image=IMAGE,
        resources=RESOURCES,
        command=("sh", "-c"),
        args=(f"trap exit TERM; {script} & wait",),
        ports=ports,
        files=files,
    )
    return Component(name=name, containers=(container,))


def _workload(wallet: str, *components: Component) -> Workload:
    return Workload(
        task_id=_uuid(),
        space_uuid=_uuid(),
        space_name="a Space",
        wallet=wallet,
        components=components,
    )


def _eventually(look: Callable[[], T | None], what: str) -> T:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")


def _pods(cluster: Cluster, workload: Workload, service: str = "") -> list[dict[str, Any]]:
    selector = labels.of_task(workload.task_id)
    if service:
        selector += f",{labels.COMPONENT}={names.safe(service)}"
    namespace = names.namespace(workload.wallet)
    return cluster.list(paths.collection("Pod", namespace), selector=selector)


def _up(cluster: Cluster, workload: Workload) -> None:
    wanted = sum(component.replicas for component in workload.components)

    def ready() -> bool | None:
        conditions = [
            condition
            for pod in _pods(cluster, workload)
            for condition in pod["status"].get("conditions", ())
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]
        return True if len(conditions) >= wanted else None

    _eventually(ready, "all pods ready")


def _sees(cluster: Cluster, workload: Workload, service: str, round_: int = 2) -> dict[str, str]:
    """What the service's script said in its latest whole round."""
    path = paths.of(_pods(cluster, workload, service)[0])

    def said() -> dict[str, str] | None:
        text = cluster.log(path, tail_lines=100)
        rounds = text.split("round\n")
        if len(rounds) <= round_:
            return None
        return dict(line.split(" ", 1) for line in rounds[-2].splitlines())

    return _eventually(said, f"{service} to look around")


def _gone(cluster: Cluster, workload: Workload) -> None:
    namespace = names.namespace(workload.wallet)
    _eventually(
        lambda: apply.remove(cluster, namespace=namespace, task_id=workload.task_id) or None,
        "everything gone",
    )


def _left(cluster: Cluster, workload: Workload) -> list[str]:
    namespace = names.namespace(workload.wallet)
    return [
        f"{one['kind']}/{one['metadata']['name']}"
        for kind in (*apply.KINDS, "Pod")
        for one in apply._list(cluster, kind, namespace, workload.task_id)
    ]


def _ingress_address(cluster: Cluster, workload: Workload) -> str:
    path = paths.collection("Ingress", names.namespace(workload.wallet))

    def address() -> str | None:
        (ingress,) = cluster.list(path, selector=labels.of_task(workload.task_id))
        found = ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
        return str(found[0]["ip"]) if "ip" in found[0] else None

    return _eventually(address, "the ingress controller to take the Ingress")


def test_a_workload_is_reached_and_kept_apart(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Services reach each other by name, the internet reaches the host, and tenants nobody else."""
    host = f"{secrets.token_hex(5)}.example.com"
    looks = (
        "look api http://api:81/; look dns http://$SVC/; touch_ kube $KUBERNETES_SERVICE_HOST 443;"
        "look closed http://api:82/"
    )
    web = _service(
        "web",
        f"{SERVE.format(page='web-page', port=8000)}; {LOOK.format(looks=looks)}",
        Port(number=8000, service_port=80, public="host", hosts=(host,)),
        files=(File(name="Conf.d/a b", path="/etc/a.conf", content=b"x"),),
    )
    both = "; ".join(SERVE.format(page=f"api-{port}", port=port) for port in (9000, 9001))
    api = _service(
        "api",
        f"{both}; sleep 99999",
        Port(number=9000, service_port=81, clients=("web",)),
        Port(number=9001, service_port=82),
    )
    workload = _workload(wallets(), web, api)
    service = names.of_space("svc", workload.space_uuid, "api")
    container = replace(web.containers[0], env=(("SVC", f"{service}:81"),))
    workload = replace(workload, components=(replace(web, containers=(container,)), api))
    offer = offering.offered(cluster, Offer(ingress_class="nginx"))
    apply.deploy(cluster, workload, offer)
    _up(cluster, workload)

    assert _sees(cluster, workload, "web") == {
        "api": "api-9000",
        "dns": "api-9000",
        "kube": "closed",
        "closed": "-",
    }
    address = _ingress_address(cluster, workload)

    def page() -> bytes | None:
        answer = urllib3.request("GET", f"http://{address}/", headers={"Host": host}, timeout=5)
        return answer.data.strip() if answer.status == 200 else None

    assert _eventually(page, "the page through the ingress") == b"web-page"

    addresses = apply.service_addresses(
        cluster, names.namespace(workload.wallet), workload.space_uuid
    )
    pod = _pods(cluster, workload, "api")[0]["status"]["podIP"]
    web_pod = _pods(cluster, workload, "web")[0]["status"]["podIP"]
    looks = (
        f"touch_ service {addresses[service]} 81; touch_ pod {pod} 9000; touch_ web {web_pod} 8000"
    )
    for wallet in (wallets(), workload.wallet):
        stranger = _workload(wallet, _service("web", LOOK.format(looks=looks)))
        apply.deploy(cluster, stranger, offer)
        _up(cluster, stranger)
        assert _sees(cluster, stranger, "web") == {
            "service": "closed",
            "pod": "closed",
            "web": "closed",
        }
    _gone(cluster, workload)
    assert _left(cluster, workload) == []


@pytest.mark.parametrize("name", ["single", "everything", "hostile"])
def test_the_api_server_takes_what_is_rendered(
    cluster: Cluster, wallets: Callable[[], str], name: str
) -> None:
    """Every object of every stored workload passes a server-side dry run."""
    workload = _stored(name, wallets())
    offer = Offer(node_ports=True, load_balancers=True, blocked_networks=("203.0.113.7/32",))
    manifests = render.workload(workload, offer)
    cluster.apply(paths.of(manifests[0]), manifests[0])
    for manifest in manifests:
        cluster.apply(paths.of(manifest), manifest, dry_run=True)
    if not offering.has_routes(cluster):
        return
    for manifest in render.workload(workload, replace(offer, gateway="default/public")):
        if manifest["kind"] == "HTTPRoute":
            cluster.apply(paths.of(manifest), manifest, dry_run=True)


def test_hostile_names_run(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Services whose names are no names run, and find each other where that can be."""
    web = _service(
        "../../Web_1",
        f"{LOOK.format(looks='look db http://Db.Main/; cat /etc/own; echo')}",
        files=(File(name="../${x}: {y}", path="/etc/own", content=b"own ${name}"),),
    )
    serve = f"{SERVE.format(page='db-page', port=80)}; sleep 99999"
    db = _service("Db.Main", serve, Port(number=80, service_port=80, clients=("../../Web_1",)))
    workload = _workload(wallets(), web, db)
    apply.deploy(cluster, workload, Offer())
    _up(cluster, workload)
    found = _sees(cluster, workload, "../../Web_1")
    assert found["db"] == "db-page"
    assert found["own"] == "${name}"


def test_one_address_for_ports_of_several_components(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """A LoadBalancer's port leads to the pods that listen on it, and to no others."""
    one, other = (
        _service(
            name,
            f"{SERVE.format(page=name, port=8080)}; sleep 99999",
            Port(number=8080, service_port=port, public="address", endpoint="E_1"),
        )
        for name, port in (("one", 81), ("other", 82))
    )
    workload = _workload(wallets(), one, other)
    manifests = apply.deploy(cluster, workload, Offer(load_balancers=True))
    _up(cluster, workload)
    (service,) = [
        m for m in manifests if m["kind"] == "Service" and m["spec"]["type"] == "LoadBalancer"
    ]
    namespace = names.namespace(workload.wallet)
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    selector = f"kubernetes.io/service-name={service['metadata']['name']}"
    pods = {name: _pods(cluster, workload, name)[0]["status"]["podIP"] for name in ("one", "other")}

    def leads() -> dict[str, str] | None:
        found = {
            port["name"]: endpoint["addresses"][0]
            for part in cluster.list(slices, selector=selector)
            for port in part.get("ports") or ()
            for endpoint in part.get("endpoints") or ()
        }
        return found if len(found) == 2 else None

    assert _eventually(leads, "endpoints") == {"tcp-81": pods["one"], "tcp-82": pods["other"]}


def _paused(workload: Workload) -> Workload:
    """The same, without pods."""
    return replace(
        workload, components=tuple(replace(one, replicas=0) for one in workload.components)
    )


def _bad(manifests: list[render.Manifest]) -> render.Manifest:
    """A ConfigMap that the API server refuses."""
    found = next(one for one in manifests if one["kind"] == "ConfigMap")
    return found | {"metadata": found["metadata"] | {"name": "bad"}, "data": {"no key": "x"}}


def test_a_refused_object_takes_back_the_others(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Nothing of a task is left when one of its objects is refused, and its reason is told."""
    workload = _paused(_stored("everything", wallets()))
    manifests = render.workload(workload, Offer(node_ports=True, load_balancers=True))
    with pytest.raises(Refused, match="no key") as refused:
        apply.apply(cluster, [*manifests, _bad(manifests)])
    assert refused.value.status == 422
    assert refused.value.__notes__ == ["refused: ConfigMap/bad"]
    _eventually(lambda: not _left(cluster, workload) or None, "the rollback")
    quota = paths.collection("ResourceQuota", names.namespace(workload.wallet))
    assert len(cluster.list(quota)) == 1


def test_a_refused_redeployment_keeps_what_was_there(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Only what the refused call created is taken back."""
    workload = _paused(_stored("single", wallets()))
    apply.deploy(cluster, workload, Offer())
    before = _left(cluster, workload)
    more = replace(_paused(_stored("everything", workload.wallet)), task_id=workload.task_id)
    manifests = render.workload(more, Offer(node_ports=True, load_balancers=True))
    with pytest.raises(Refused):
        apply.apply(cluster, [*manifests, _bad(manifests)])
    _eventually(lambda: _left(cluster, workload) == before or None, "the rollback")


def test_prune_deletes_what_a_redeployment_lacks(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Services, files and components that a later revision dropped go; the others stay."""
    wallet = wallets()
    offer = Offer(node_ports=True, load_balancers=True)
    first = _paused(_stored("everything", wallet))
    apply.deploy(cluster, first, offer)
    smaller = replace(first, components=first.components[1:2], revision=2)
    other = _paused(replace(_stored("single", wallet)))
    apply.deploy(cluster, other, offer)
    web, *_ = smaller.components
    ports = tuple(replace(port, clients=()) for port in web.containers[1].ports)
    containers = (
        replace(web.containers[0], ports=()),
        replace(web.containers[1], ports=ports, files=()),
    )
    smaller = replace(smaller, components=(replace(web, containers=containers),))
    manifests = apply.deploy(cluster, smaller, offer)
    namespace = names.namespace(wallet)
    kept = {f"{one['kind']}/{one['metadata']['name']}" for one in manifests}

    def pruned() -> bool | None:
        apply.prune(cluster, manifests, namespace=namespace, task_id=first.task_id)
        return set(_left(cluster, first)) <= kept or None

    _eventually(pruned, "the prune")
    assert f"Deployment/deploy-{first.space_uuid}" in _left(cluster, first)
    assert f"Deployment/deploy-{other.space_uuid}" in _left(cluster, other)


def test_remove_leaves_what_another_task_took_over(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """A new task of the same Space takes the objects, and ending the old one does not end it."""
    old = _paused(_stored("single", wallets()))
    apply.deploy(cluster, old, Offer())
    new = replace(old, task_id=_uuid())
    apply.deploy(cluster, new, Offer())
    taken = _left(cluster, new)
    assert taken
    _gone(cluster, old)
    assert _left(cluster, new) == taken
    _gone(cluster, new)
    assert _left(cluster, new) == []


def test_a_deletion_that_comes_late_does_nothing(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """An object that changed hands between the look and the deletion is not deleted."""
    old = _paused(_stored("single", wallets()))
    apply.deploy(cluster, old, Offer())
    seen = apply._objects(cluster, names.namespace(old.wallet), old.task_id)
    new = replace(old, task_id=_uuid())
    apply.deploy(cluster, new, Offer())
    for one in seen:
        apply._delete(cluster, one)
    assert len(_left(cluster, new)) == len(seen)


def test_removal_of_what_never_was(cluster: Cluster) -> None:
    """A task without objects, or without a namespace even, is gone already."""
    namespace = names.namespace(f"0x{secrets.token_hex(20)}")
    assert apply.remove(cluster, namespace=namespace, task_id=_uuid())


def test_cancelled_between_objects(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """What the checkpoint raises stops the call before the next write."""
    workload = _paused(_stored("single", wallets()))
    writes = iter(range(6))

    def checkpoint() -> None:
        if next(writes, None) is None:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        apply.deploy(cluster, workload, Offer(), checkpoint=checkpoint)
    assert len(_left(cluster, workload)) == 2
    _gone(cluster, workload)


def test_an_object_that_is_being_deleted_is_waited_for(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """Nothing is applied to an object that is about to vanish: try again."""
    workload = _paused(_stored("everything", wallets()))
    offer = Offer(node_ports=True, load_balancers=True)
    manifests = apply.deploy(cluster, workload, offer)
    claim = next(one for one in manifests if one["kind"] == "PersistentVolumeClaim")
    claim["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.apply(paths.of(claim), claim)
    cluster.delete(paths.of(claim))
    with pytest.raises(Unavailable, match="still being deleted"):
        apply.deploy(cluster, workload, offer)
    claim["metadata"]["finalizers"] = []
    cluster.apply(paths.of(claim), claim)


def test_errors_tell_what_the_api_server_said(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Absent, refused and changed objects are told apart; a missing one is deleted already."""
    namespace = names.namespace(wallets())
    path = f"/api/v1/namespaces/{namespace}"
    with pytest.raises(NotFound, match=namespace):
        cluster.get(path)
    cluster.delete(path)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    cluster.apply(path, manifest)
    with pytest.raises(Conflict):
        cluster.delete(path, uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(Refused) as refused:
        cluster.apply(path, manifest | {"spec": 1})
    assert "expected map" in refused.value.message


def test_quota_is_told_in_the_servers_words(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """An operator who offers no NodePorts bounds them to none on the cluster too."""
    workload = _paused(_stored("single", wallets()))
    manifests = render.workload(workload, Offer())
    service = next(one for one in manifests if one["kind"] == "Service")
    service["spec"]["type"] = "NodePort"
    with pytest.raises(Refused, match="exceeded quota") as refused:
        apply.apply(cluster, manifests)
    assert refused.value.status == 403


def test_what_the_cluster_has(cluster: Cluster) -> None:
    """The networks of nodes and services are blocked, and missing storage classes are named."""
    nodes = {
        address["address"]
        for node in cluster.list("/api/v1/nodes")
        for address in node["status"]["addresses"]
        if address["type"] == "InternalIP"
    }
    networks = offering.node_networks(cluster)
    assert {f"{one}/32" for one in nodes if ":" not in one} <= set(networks)
    offer = offering.offered(cluster, Offer(blocked_networks=("192.0.2.0/24",)))
    assert set(offer.blocked_networks) == {"192.0.2.0/24", *networks}
    missing = offering.missing_storage_classes(cluster, ["no-such-class"])
    assert missing == {"no-such-class"}
