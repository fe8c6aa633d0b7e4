"""The guard against server-side request forgery: public addresses over HTTP, nothing else."""

import re
import socket

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from app.errors import Permanent
from app.net import addresses

CATEGORY = "source_refused"
_MAX_URL_CHARACTERS = 8192
_MAX_HOST_CHARACTERS = 253
_PARTS = re.compile(r"(?P<scheme>[^:/?#]*):(?P<slashes>/*)(?P<authority>[^/?#]*).*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_PLAIN = re.compile(r"[!-~]+")


def permit(url: str, *, allow_private: bool, closed: tuple[str, ...] = ()) -> URL:
    """Parse a URL that may be fetched; its path and query stay as they are.

    A host name is checked later, by `Resolver`, when it is resolved for the connection.

    Args:
        url: As somebody else wrote it.
        allow_private: Permit every address.
        closed: Networks (CIDR) that are refused like those that are not public.

    Raises:
        Permanent: Not http or https, with user name or password, malformed, or a host that is an
            address which is not public or is spelt ambiguously. The message shows the host alone.
    """
    if len(url) > _MAX_URL_CHARACTERS:
        raise _refused(f"a URL may have {_MAX_URL_CHARACTERS} characters, this one has {len(url)}")
    parts = _PARTS.fullmatch(url)
    if parts is None or parts["scheme"].lower() not in {"http", "https"}:
        raise _refused("a URL has to begin with http:// or https://")
    if not url.isprintable() or "\\" in url or len(parts["slashes"]) != len("//"):
        raise _refused("the URL is malformed")
    if "@" in parts["authority"]:
        raise _refused("a URL must not contain a user name or a password")
    parsed = _parsed(url)
    _check_host(parsed.raw_host or "", allow_private=allow_private, closed=closed)
    return parsed


def redirect(
    current: URL, location: str, *, allow_private: bool, closed: tuple[str, ...] = ()
) -> URL:
    """Parse the target of a redirect, under the rules of `permit` and never from https to http."""
    if not location.isprintable():
        raise _refused("the redirect is malformed")
    try:
        target = str(current.join(URL(location, encoded=bool(_PLAIN.fullmatch(location)))))
    except ValueError:
        raise _refused("the redirect is malformed") from None
    permitted = permit(target, allow_private=allow_private, closed=closed)
    if current.scheme == "https" and permitted.scheme != "https":
        raise _refused("a redirect from https to http is not followed")
    return permitted


def origin(url: URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port, however they are spelt."""
    return url.scheme.lower(), (url.raw_host or "").lower().rstrip("."), url.port


def _parsed(url: str) -> URL:
    try:
        # A URL that needs no quoting is sent as it is: a signature may cover its spelling.
        parsed = URL(url, encoded=bool(_PLAIN.fullmatch(url)))
        port = parsed.port
    except ValueError:
        raise _refused("the URL is malformed") from None
    if not port:
        raise _refused("the port of a URL has to be 1 to 65535")
    return parsed


def _check_host(host: str, *, allow_private: bool, closed: tuple[str, ...]) -> None:
    try:
        address = addresses.literal(host)
    except ValueError as error:
        raise _refused(f"the host is refused: {error}") from None
    if address is not None:
        if not (allow_private or addresses.is_public(address, closed=closed)):
            raise _refused(f"{address} is not an address of the public internet")
    elif not _NAME.fullmatch(host) or len(host) > _MAX_HOST_CHARACTERS:
        raise _refused("the URL's host is not a host name")


class Resolver(AbstractResolver):
    """Resolves names for one connection each, and refuses those that lead anywhere private.

    What `resolve` returns is what is connected to: nothing resolves the name a second time.
    """

    def __init__(
        self, resolver: AbstractResolver, *, allow_private: bool, closed: tuple[str, ...] = ()
    ) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._closed = closed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            Permanent: One of them is not public.
            OSError: The name cannot be resolved.
        """
        results = await self._resolver.resolve(host, port, family)
        if not results:
            raise OSError("the name has no address")
        if not self._allow_private and not all(
            addresses.is_public(result["host"], closed=self._closed) for result in results
        ):
            raise _refused(f"{host} is not on the public internet")
        return results

    async def close(self) -> None:
        """Release the resolver below."""
        await self._resolver.close()


def open_public_socket(address: AddrInfoType, *, closed: tuple[str, ...] = ()) -> socket.socket:
    """Open a socket for a connection to a public address: the last line of the guard.

    Raises:
        PermissionError: The address is not public, wherever it came from.
    """
    family, kind, protocol, _, destination = address
    if not addresses.is_public(str(destination[0]), closed=closed):
        raise PermissionError("the address is not public")
    return socket.socket(family=family, type=kind, proto=protocol)


def _refused(message: str) -> Permanent:
    return Permanent(message, category=CATEGORY)
