"""The isolation of tenants' pods on a real cluster: whom they reach, and who reaches them."""

import os
import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest
import urllib3

from k8s.api.client import Cluster
from k8s.apply import apply
from k8s.inventory.capabilities import resolve
from k8s.naming import names
from k8s.workload import Capabilities, File, Port
from tests.support import workloads

pytestmark = pytest.mark.skipif(
    not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"
)


@pytest.mark.usefixtures("ingress_controller")
def test_a_workload_is_reached_and_kept_apart(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Services reach each other by name, the internet reaches the host, and tenants nobody else."""
    host = f"{secrets.token_hex(5)}.example.com"
    looks = (
        "look api api 81; look dns $SVC 81; knock kube $KUBERNETES_SERVICE_HOST 443;"
        "look closed api 82"
    )
    web = workloads.component(
        "web",
        workloads.SERVE.format(page="web-page", port=8000)
        + f"; {workloads.LOOK.format(looks=looks)}",
        Port(number=8000, service_port=80, public="host", hosts=(host,)),
        files=(File(name="Conf.d/a b", path="/etc/a.conf", content=b"x"),),
    )
    both = "; ".join(workloads.SERVE.format(page=f"api-{port}", port=port) for port in (9000, 9001))
    api = workloads.component(
        "api",
        f"{both}; sleep 99999",
        Port(number=9000, service_port=81, clients=("web",)),
        Port(number=9001, service_port=82),
    )
    workload = workloads.of(wallets(), web, api)
    service = names.object_name("svc", workload.space_uuid, "api")
    container = replace(web.containers[0], env=(("SVC", service),))
    workload = replace(workload, components=(replace(web, containers=(container,)), api))
    capabilities = resolve(cluster, Capabilities(ingress_class="nginx"))
    apply.deploy(cluster, workload, capabilities)
    workloads.up(cluster, workload)

    seen = {"api": "api-9000", "dns": "api-9000", "kube": "closed", "closed": "-"}
    workloads.sees(cluster, workload, "web", seen)
    address = workloads.ingress_address(cluster, workload)

    def page() -> bytes | None:
        answer = urllib3.request("GET", f"http://{address}/", headers={"Host": host}, timeout=5)
        return answer.data.strip() if answer.status == 200 else None

    assert workloads.eventually(page, "the page through the ingress") == b"web-page"

    addresses = apply.service_addresses(
        cluster, names.namespace(workload.wallet), workload.space_uuid
    )
    pod = workloads.pods(cluster, workload, "api")[0]["status"]["podIP"]
    web_pod = workloads.pods(cluster, workload, "web")[0]["status"]["podIP"]
    looks = f"knock service {addresses[service]} 81; knock pod {pod} 9000; knock web {web_pod} 8000"
    strangers = [
        workloads.of(wallet, workloads.component("web", workloads.LOOK.format(looks=looks)))
        for wallet in (wallets(), workload.wallet)
    ]
    for stranger in strangers:
        apply.deploy(cluster, stranger, capabilities)
    for stranger in strangers:
        workloads.up(cluster, stranger)
        seen = {"service": "closed", "pod": "closed", "web": "closed"}
        workloads.sees(cluster, stranger, "web", seen)
    workloads.gone(cluster, workload)
    assert workloads.left(cluster, workload) == []


def test_hostile_names_run(cluster: Cluster, wallets: Callable[[], str]) -> None:
    """Services whose names are no names run, and find each other where that can be."""
    web = workloads.component(
        "../../Web_1",
        f"{workloads.LOOK.format(looks='look db Db.Main 80; cat /etc/own; echo')}",
        files=(File(name="../${x}: {y}", path="/etc/own", content=b"own ${name}"),),
    )
    serve = f"{workloads.SERVE.format(page='db-page', port=80)}; sleep 99999"
    db = workloads.component(
        "Db.Main", serve, Port(number=80, service_port=80, clients=("../../Web_1",))
    )
    workload = workloads.of(wallets(), web, db)
    apply.deploy(cluster, workload, Capabilities())
    workloads.up(cluster, workload)
    workloads.sees(cluster, workload, "../../Web_1", {"db": "db-page", "own": "${name}"})


def test_one_address_for_ports_of_several_components(
    cluster: Cluster, wallets: Callable[[], str]
) -> None:
    """A LoadBalancer's port leads to the pods that listen on it, and to no others."""
    one, other = (
        workloads.component(
            name,
            f"{workloads.SERVE.format(page=name, port=8080)}; sleep 99999",
            Port(number=8080, service_port=port, public="address", endpoint="E_1"),
        )
        for name, port in (("one", 81), ("other", 82))
    )
    workload = workloads.of(wallets(), one, other)
    manifests = apply.deploy(cluster, workload, Capabilities(load_balancers=True))
    workloads.up(cluster, workload)
    (service,) = [
        m for m in manifests if m["kind"] == "Service" and m["spec"]["type"] == "LoadBalancer"
    ]
    namespace = names.namespace(workload.wallet)
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    selector = f"kubernetes.io/service-name={service['metadata']['name']}"
    pods = {
        name: workloads.pods(cluster, workload, name)[0]["status"]["podIP"]
        for name in ("one", "other")
    }

    def leads() -> dict[str, str] | None:
        found = {
            port["name"]: endpoint["addresses"][0]
            for part in cluster.list(slices, selector=selector)
            for port in part.get("ports") or ()
            for endpoint in part.get("endpoints") or ()
        }
        return found if len(found) == 2 else None

    assert workloads.eventually(leads, "endpoints") == {
        "tcp-81": pods["one"],
        "tcp-82": pods["other"],
    }
