"""Attack: reach what is no DNS server of `kube-system`, or a network that the operator closed.

Port 53 of every pod in `kube-system` was open to tenants, and public addresses that are the
operator's own could not be closed. It fails because egress to DNS selects the DNS pods, and because
`[CLUSTER] ClosedNetworks` counts for pods, for builds and for the guard alike, redirects included.
"""

from copy import deepcopy
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app import config as configuration
from app.context import check_complete, configured_capabilities, open_context
from app.errors import ConfigError, Permanent
from app.net import addresses, ssrf
from app.net.http_client import Fetcher, FetchLimits
from k8s import render
from k8s.manifests import networks
from k8s.policy import check
from k8s.policy.violation import Violation
from k8s.workload import Workload
from tests.support.documents import ROOT

CLOSED = ("8.8.8.0/24", "2600:1234::/32")
INSIDE = ("8.8.8.8", "2600:1234::1")
WORKLOAD = msgspec.json.decode(
    (ROOT / "tests" / "k8s" / "workloads" / "everything.json").read_bytes(), type=Workload
)
CONFIG = configuration.convert(
    {"CLUSTER": {"ClosedNetworks": list(CLOSED), "NodePorts": True, "LoadBalancers": True}}
)
CAPABILITIES = configured_capabilities(CONFIG)


def _egress(manifests: list[Any]) -> list[Any]:
    policies = (item for item in manifests if item["kind"] == "NetworkPolicy")
    return [rule for policy in policies for rule in policy["spec"].get("egress", ())]


def test_pods() -> None:
    """No rule of a tenant's pods leads to a closed network."""
    for rule in _egress(render.workload(WORKLOAD, CAPABILITIES)):
        for peer in rule["to"]:
            if block := peer.get("ipBlock"):
                holes = [ip_network(cidr) for cidr in block["except"]]
                for address in map(ip_address, INSIDE):
                    is_inside = address in ip_network(block["cidr"])
                    assert not is_inside or any(address in hole for hole in holes)


def test_a_closed_address_is_no_node() -> None:
    """A closed network of one address is not taken for a node, which may reach tenants' pods."""
    closed = replace(CAPABILITIES, closed_networks=("8.8.8.8/32",))
    for item in render.workload(WORKLOAD, closed):
        if item["kind"] == "NetworkPolicy":
            assert {"ipBlock": {"cidr": "8.8.8.8/32"}} not in [
                peer for rule in item["spec"].get("ingress", ()) for peer in rule["from"]
            ]


def test_templates() -> None:
    """The policy refuses a template that opens a closed network, or more of `kube-system`."""
    manifests = render.workload(WORKLOAD, CAPABILITIES)
    check.check(manifests, WORKLOAD, CAPABILITIES)
    opened = render.workload(WORKLOAD, replace(CAPABILITIES, closed_networks=()))
    with pytest.raises(Violation, match=r"has to leave out 8\.8\.8\.0/24"):
        check.check(opened, WORKLOAD, CAPABILITIES)
    wrong: tuple[Any, ...] = (None, {}, {"matchLabels": {}}, {"matchLabels": {"k8s-app": "x"}})
    for selector in wrong:
        changed = deepcopy(manifests)
        for rule in _egress(changed):
            for peer in rule["to"]:
                if "namespaceSelector" in peer:
                    del peer["podSelector"]
                    peer.update({} if selector is None else {"podSelector": selector})
        with pytest.raises(Violation, match="has to select its pods"):
            check.check(changed, WORKLOAD, CAPABILITIES)


@pytest.mark.parametrize("host", ["8.8.8.8", "[2600:1234::1]"])
async def test_the_guard(host: str) -> None:
    """A URL of a closed network is refused before anything is sent, and so is its socket."""
    async with Fetcher(closed=CLOSED) as fetcher:
        with pytest.raises(Permanent) as caught:
            await fetcher.get(f"http://{host}/", limits=FetchLimits(bytes=1, seconds=5))
    assert caught.value.category == ssrf.CATEGORY
    assert addresses.is_public(host.strip("[]"))
    start = ssrf.permit("http://1.1.1.1/", allow_private=False)
    with pytest.raises(Permanent):
        ssrf.redirect(start, f"http://{host}/", allow_private=False, closed=CLOSED)


@pytest.mark.parametrize("cidr", ["", "8.8.8.0/33", "example.com", "8.8.8.0/24 "])
def test_malformed(provider_folder: Path, cidr: str) -> None:
    """What is no network is an error of the configuration, and closes nothing silently."""
    path = provider_folder / "config.toml"
    path.write_text(path.read_text() + f'[CLUSTER]\nClosedNetworks = ["{cidr}"]\n')
    assert not networks.is_cidr(cidr)
    with pytest.raises(ConfigError, match="ClosedNetworks"):
        check_complete(open_context(str(provider_folder)).config)
