"""Routes from host names to services."""

from dataclasses import replace
from typing import Any

import msgspec

from k8s import render
from k8s.workload import Capabilities, Workload
from tests.support.documents import ROOT

WORKLOAD = msgspec.json.decode(
    (ROOT / "tests" / "k8s" / "workloads" / "everything.json").read_bytes(), type=Workload
)
OFFER = Capabilities(node_ports=True, load_balancers=True)


def of(capabilities: Capabilities, kind: str) -> list[Any]:
    """Return what is rendered of a kind."""
    return [m for m in render.workload(WORKLOAD, capabilities) if m["kind"] == kind]


def test_paths_that_controllers_take() -> None:
    """The path of an Ingress is `/` with type Prefix; `/*` is refused by controllers of today."""
    paths = [
        (path["path"], path["pathType"])
        for ingress in of(OFFER, "Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert set(paths) == {("/", "Prefix")}


def test_a_gateway_takes_the_place_of_ingresses() -> None:
    """A Gateway gets HTTPRoutes, and no Ingress."""
    capabilities = replace(OFFER, gateway="gateways/public")
    assert of(capabilities, "Ingress") == []
    matches = [
        match["path"]
        for route in of(capabilities, "HTTPRoute")
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    ]
    assert matches
    assert all(match == {"type": "PathPrefix", "value": "/"} for match in matches)
    assert of(OFFER, "HTTPRoute") == []
