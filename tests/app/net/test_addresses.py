"""Addresses: what is public, and what spells one."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.net import addresses


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
        "192.88.99.1",
        "192.168.1.1",
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
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
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
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2606:4700:4700::1111",
        "2a00:1450::1",
    ],
)
def test_public(address: str) -> None:
    """Addresses of the public internet are public, also in the forms that translate IPv4."""
    assert addresses.is_public(address)


@given(st.ip_addresses(v=4))
def test_public_means_global(address: ipaddress.IPv4Address) -> None:
    """Nothing that Python calls special, and no multicast, is public."""
    if addresses.is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_translated_addresses_are_judged_alike(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address is as public in its IPv6 disguises as it is itself."""
    expected = addresses.is_public(str(address))
    assert addresses.is_public(f"::ffff:{address}") == expected
    assert addresses.is_public(f"64:ff9b::{address}") == expected


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
    """What the C library reads as an address is never taken for a name."""
    try:
        socket.inet_aton(host)
    except OSError:
        return
    try:
        assert addresses.literal(host) is not None
    except ValueError:
        return
