"""IP addresses: the public ones, and their spellings."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.net import addresses
from k8s import render
from k8s.manifests import networks
from k8s.workload import Capabilities
from tests.support import workloads

WALLET = "0x" + "ab" * 20
POLICY = next(
    manifest
    for manifest in render.workload(workloads.stored("single", WALLET), Capabilities())
    if "ipBlock" in str(manifest)
)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind.
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.1.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_private(address: str) -> None:
    """Addresses that do not belong to the public internet are not public."""
    assert not addresses.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700:4700::1111",
        "2a00:1450::1",
    ],
)
def test_public(address: str) -> None:
    """Addresses of the public internet are public."""
    assert addresses.is_public(address)


def _embedded(prefix: str, shift: int) -> st.SearchStrategy[str]:
    """IPv6 addresses below a prefix that hold an IPv4 address so many bits from their end."""
    base = int(ipaddress.IPv6Address(prefix))
    return st.ip_addresses(v=4).map(
        lambda inner: str(ipaddress.IPv6Address(base | int(inner) << shift))
    )


def _at_an_edge(cidr: str) -> st.SearchStrategy[str]:
    """Addresses at the first and last of a network, and right outside it."""
    network = ipaddress.ip_network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    numbers = {max(first - 1, 0), first, last, min(last + 1, 2**network.max_prefixlen - 1)}
    kind = type(network.network_address)
    return st.sampled_from([str(kind(number)) for number in sorted(numbers)])


MAPPED = _embedded("::ffff:0:0", 0)
TRANSLATED = st.one_of(
    _embedded("::", 0),
    _embedded("64:ff9b::", 0),
    _embedded("64:ff9b:1::", 0),
    _embedded("2001::", 64),
    _embedded("2002::", 80),
)
ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(network="2000::/3").map(str),
    st.sampled_from(networks.RESERVED + networks.DOCUMENTATION).flatmap(_at_an_edge),
    MAPPED,
    TRANSLATED,
)


@given(ADDRESSES)
def test_public_means_global(address: str) -> None:
    """Nothing that Python calls special, and no multicast, is public."""
    if addresses.is_public(address):
        parsed = ipaddress.ip_address(address)
        assert parsed.is_global
        assert not parsed.is_multicast


@given(MAPPED | TRANSLATED)
def test_translated_addresses_are_refused(address: str) -> None:
    """An IPv6 address that stands for an IPv4 one is not public, whatever it stands for."""
    assert not addresses.is_public(address)


@given(ADDRESSES)
def test_tenants_reach_what_urls_may_lead_to(address: str) -> None:
    """A tenant's policy lets through what the URL guard does, and addresses of examples."""
    parsed = ipaddress.ip_address(address)
    documentation = map(ipaddress.ip_network, networks.DOCUMENTATION)
    is_example = any(parsed in network for network in documentation)
    blocks = [
        peer["ipBlock"]
        for rule in POLICY["spec"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    allowed = any(
        parsed in ipaddress.ip_network(block["cidr"])
        and not any(parsed in ipaddress.ip_network(cidr) for cidr in block["except"])
        for block in blocks
    )
    assert allowed == (is_example or addresses.is_public(address))


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "1.2.3.0x4",
        "0x",
        "256.1.1.1",
        "1.2.3.4.5",
        "::1%eth0",
        "fe80::1%25eth0",
        "::1::",
        "1.2.3.08",
    ],
)
def test_ambiguous_spellings(host: str) -> None:
    """A spelling of an address that readers disagree about is refused."""
    with pytest.raises(ValueError, match=r"\S"):
        addresses.literal(host)


@pytest.mark.parametrize("host", ["example.com", "1and1.com", "a.b1", "x0x1", "", "1.example"])
def test_names_are_no_literals(host: str) -> None:
    """A name is no address, even with digits in it."""
    assert addresses.literal(host) is None


@given(st.text("0123456789abcdefxX.:", min_size=1, max_size=20))
def test_whatever_the_system_takes_for_an_address_is_judged(host: str) -> None:
    """A text that the C library reads as an address is never taken for a name."""
    try:
        socket.inet_aton(host)
    except OSError:
        return
    try:
        assert addresses.literal(host) is not None
    except ValueError:
        return
