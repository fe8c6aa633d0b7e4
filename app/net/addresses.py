"""IP addresses: those of the public internet, and the spellings that a URL may give them."""

import ipaddress
import re

from k8s.manifests import networks

_NUMBER = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)", re.ASCII)


def is_public(address: str, *, closed: tuple[str, ...] = ()) -> bool:
    """Tell whether a canonical IP address is one of the public internet, and in none of `closed`.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64) is not, whatever it stands
    for, nor is one with a zone (`%eth0`).
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        return False
    not_public = networks.closed((*networks.DOCUMENTATION, *closed))
    return not any(parsed in network for network in not_public)


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
