"""The policy on a tenant's NetworkPolicies: they open nothing between tenants or in the cluster."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from k8s.manifests import networks, tenant
from k8s.manifests.network_policies import DNS_NAMESPACE, DNS_PODS, NAMESPACE_NAME
from k8s.naming import labels, names
from k8s.policy.violation import Violation, require
from k8s.workload import Capabilities, Workload

Manifest = Mapping[str, Any]

_BOTH = {"Ingress", "Egress"}


def check_default(manifests: Sequence[Manifest]) -> None:
    """Raise `Violation` unless the tenant's doors are closed by default."""
    policies = {item["metadata"]["name"] for item in manifests if item["kind"] == "NetworkPolicy"}
    if tenant.DEFAULT_DENY not in policies:
        raise Violation("NetworkPolicy", f"the tenant has to have {tenant.DEFAULT_DENY}")


def check(policy: Manifest, workload: Workload, capabilities: Capabilities) -> None:
    """Raise `Violation` unless the policy opens only what may be open."""
    spec = policy["spec"]
    require(set(spec.get("policyTypes", ())) == _BOTH, policy, "has to govern both directions")
    if policy["metadata"]["name"] == tenant.DEFAULT_DENY:
        _default_deny(policy)
        return
    selected = spec.get("podSelector", {}).get("matchLabels", {}).get(labels.SPACE)
    space = names.label_value(workload.space_uuid)
    require(selected == space, policy, "has to select the Space's pods alone")
    _egress(policy, space, networks.closed(capabilities.unreachable_networks))
    _ingress(policy)


def _default_deny(policy: Manifest) -> None:
    spec = policy["spec"]
    require(not spec.get("podSelector"), policy, "has to select every pod")
    opened = spec.get("ingress") or spec.get("egress")
    require(not opened, policy, "may open nothing")


def _ingress(policy: Manifest) -> None:
    for rule in policy["spec"].get("ingress", ()):
        require(bool(rule.get("from")), policy, "an ingress rule has to say from where")
        require(bool(rule.get("ports")), policy, "an ingress rule has to say to which ports")


def _egress(policy: Manifest, space: str, closed: Sequence[networks.Network]) -> None:
    for rule in policy["spec"].get("egress", ()):
        require(bool(rule.get("to")), policy, "an egress rule has to say where to")
        for peer in rule.get("to", ()):
            if "ipBlock" in peer:
                _internet(policy, peer["ipBlock"], closed)
            elif "namespaceSelector" in peer:
                _dns(policy, rule, peer)
            else:
                selected = peer.get("podSelector", {}).get("matchLabels", {}).get(labels.SPACE)
                require(selected == space, policy, "egress may lead to the Space's own pods alone")


def _dns(policy: Manifest, rule: Mapping[str, Any], peer: Mapping[str, Any]) -> None:
    selected = peer["namespaceSelector"].get("matchLabels", {}).get(NAMESPACE_NAME)
    require(selected == DNS_NAMESPACE, policy, "egress may lead to no other namespace but DNS's")
    pods = peer.get("podSelector", {}).get("matchLabels", {})
    require(pods.items() >= DNS_PODS.items(), policy, "egress to DNS has to select its pods")
    require(bool(rule.get("ports")), policy, "egress to DNS has to name its ports")


def _internet(
    policy: Manifest, block: Mapping[str, Any], closed: Sequence[networks.Network]
) -> None:
    whole = ip_network(block["cidr"])
    left_out = [ip_network(cidr) for cidr in block.get("except", ())]
    for network in closed:
        if network.version != whole.version or not network.overlaps(whole):
            continue
        covered = any(
            hole.version == network.version and network.subnet_of(hole)  # type: ignore[arg-type] # The versions are equal.
            for hole in left_out
        )
        require(covered, policy, f"egress to {whole} has to leave out {network}")
