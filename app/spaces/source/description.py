"""Fetching the description of a Space, from the origins that the operator believes alone.

A description names the owner, so whoever writes it says whose Space it is.
"""

from collections.abc import Sequence
from functools import partial

from yarl import URL

from app.errors import Permanent
from app.net import ssrf
from app.net.http_client import Fetcher, FetchLimits
from app.spaces.source import space
from app.spaces.source.space import SourceLimits, Space
from app.store.job_data import source_uuid

_DOCUMENT_BYTES = 4 << 20
_DOCUMENT_SECONDS = 60.0


async def describe(
    fetcher: Fetcher, job_source_uri: str, *, origins: Sequence[str], limits: SourceLimits
) -> Space:
    """Fetch and read the Space that a job names; its files are not fetched.

    Args:
        fetcher: Already open.
        job_source_uri: With the Space's uuid as the end of its path.
        origins: URLs of the only origins whose descriptions count.
        limits: For the whole Space.

    Raises:
        Permanent: `source_refused`: the URL or a redirect is of another origin, or does not end
            with the one uuid; `not_the_owner`: the description is of another Space;
            `source_invalid`, naming every wrong field; `url_invalid`: an origin is malformed; what
            `Fetcher.get` raises.
        Temporary: What `Fetcher.get` raises.
    """
    uuid = source_uuid(job_source_uri)
    limits_of_fetch = FetchLimits(
        bytes=_DOCUMENT_BYTES,
        seconds=min(limits.seconds, _DOCUMENT_SECONDS),
        permit=partial(_check_url, uuid=uuid, origins=_parsed(origins)),
    )
    body = await fetcher.get(job_source_uri, limits=limits_of_fetch)
    described = space.read(body, max_files=limits.files)
    if described.uuid != uuid:
        message = f"the source of Space {uuid} describes another Space, {described.uuid}"
        raise Permanent(message, category="not_the_owner")
    return described


def _check_url(url: URL, *, uuid: str, origins: Sequence[URL]) -> None:
    """Check a URL before it is asked for the description of a Space.

    Raises:
        Permanent: `source_refused`.
    """
    if ssrf.origin(url) not in map(ssrf.origin, origins):
        message = (
            f"a Space has to be described by {' or '.join(map(str, origins))}, not by"
            f" {url.origin()} (the operator's [SOURCE] Origins)"
        )
        raise Permanent(message, category=ssrf.CATEGORY)
    if not uuid or source_uuid(str(url)) != uuid:
        message = "the URL of a Space's description has to end with the Space's uuid"
        raise Permanent(message, category=ssrf.CATEGORY)


def _parsed(origins: Sequence[str]) -> list[URL]:
    try:
        return [URL(origin).origin() for origin in origins]
    except ValueError:
        message = "[SOURCE] Origins or [LAG] ServerUrl is malformed"
        raise Permanent(message, category="url_invalid") from None
