"""Which IP addresses are the public internet's, and how a URL may spell one."""

import ipaddress
import re

# https://www.iana.org/assignments/iana-ipv4-special-registry, multicast, the former class E, and
# the one metadata service that clouds put on a public address (Azure's 168.63.129.16).
_RESERVED_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Only 2000::/3 is assigned to the public; inside it: protocol assignments (Teredo, ORCHID,
# benchmarking), documentation, 6to4 (which leads to whatever IPv4 address it holds) and AS112.
_UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
_RESERVED_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# The well-known prefix of NAT64 stands for the IPv4 address in its last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_NUMBER = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)", re.ASCII)


def is_public(address: str) -> bool:
    """Tell whether a canonical IP address is one of the public internet.

    IPv4-mapped and NAT64 addresses are judged by the IPv4 address in them; whatever has a zone
    (`%eth0`) is local.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_public_ipv4(parsed)
    if parsed.scope_id is not None:
        return False
    if parsed.ipv4_mapped is not None:
        return _is_public_ipv4(parsed.ipv4_mapped)
    if parsed in _NAT64:
        return _is_public_ipv4(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
    if parsed not in _UNICAST_IPV6 or not parsed.is_global:
        return False
    return not any(parsed in network for network in _RESERVED_IPV6)


def _is_public_ipv4(address: ipaddress.IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _RESERVED_IPV4)


def literal(host: str) -> str | None:
    """Return the canonical address that a URL's host spells, or None when the host is a name.

    Args:
        host: As in the URL; IPv6 without its brackets.

    Raises:
        ValueError: It is an address in a spelling that readers disagree about: decimal, octal,
            hexadecimal, shortened, with a trailing dot or with a zone.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("an IPv6 address with a zone is local")
        return str(ipaddress.IPv6Address(host))
    labels = host.rstrip(".").split(".")
    if not _NUMBER.fullmatch(labels[-1]):
        return None
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise ValueError("an IPv4 address has to be written as four decimal numbers") from None
