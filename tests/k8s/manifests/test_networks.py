"""Networks that are not the public internet."""

from ipaddress import ip_address, ip_network

import pytest

from k8s.manifests import networks

INSIDE = [
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.192",
    "192.31.196.1",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",  # noqa: S104 - it is an address, not one to listen on.
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "2001:0:a00:1::",
    "2002:a00:1::",
    "5f00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
]
OUTSIDE = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "203.0.113.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_closed(address: str) -> None:
    """Private, carrier, link-local, metadata and translated addresses are no internet."""
    closed = [network for network in networks.closed() if ip_address(address) in network]
    assert len(closed) == 1


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_open(address: str) -> None:
    """What is the internet stays reachable."""
    assert not any(ip_address(address) in network for network in networks.closed())


def test_blocked_networks_are_closed_once() -> None:
    """The cluster's own networks are left out too, without overlaps, host bits or not."""
    closed = networks.closed(("10.244.0.0/16", "1.2.3.9/24", "2600::1/128"))
    assert ip_network("1.2.3.0/24") in closed
    assert ip_network("2600::1/128") in closed
    assert ip_network("10.244.0.0/16") not in closed


def test_nothing_is_left_of_a_blocked_internet() -> None:
    """Where all of a family is blocked there is no rule for it, for an API server takes none."""
    assert networks.around("0.0.0.0/0", networks.closed(("0.0.0.0/0",))) is None
    assert networks.around("::/0", networks.closed(("0.0.0.0/0",))) is not None


def test_nodes_are_single_addresses() -> None:
    """Of the blocked networks those of one address are nodes."""
    assert networks.hosts(["10.0.0.1/32", "10.0.0.0/24", "fd00::1/128"]) == [
        "10.0.0.1/32",
        "fd00::1/128",
    ]


def test_what_is_no_network() -> None:
    """A misspelt network is an error, not an open door."""
    with pytest.raises(ValueError, match="nowhere"):
        networks.closed(("nowhere",))
