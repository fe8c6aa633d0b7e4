"""Base images of tenants' Dockerfiles: inspected through the guard, and named by their digest.

Triggers (ONBUILD) of a base image are instructions that stand in no Dockerfile, so an image with
any is refused. The digest keeps a builder from getting another image than the one inspected.
"""

import asyncio
import hashlib
import json
import platform
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from yarl import URL

from app.errors import Permanent
from app.net import http_client, ssrf
from app.net.http_client import Answer, Session
from app.spaces.image_registries import DOCKER_HUB, ImageRegistries, split
from app.spaces.images.registry import MANIFESTS, Registry

_SECONDS = 20.0
_MAX_BYTES = 4 << 20
_MAX_REDIRECTS = 3
_DOCKER_HUB_API = "registry-1.docker.io"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def pin(image: str, platform_name: str, *, own: Registry, registries: ImageRegistries) -> str:
    """Return a base image by the digest of the manifest that was inspected.

    Args:
        image: With its registry.
        platform_name: As in `FROM --platform`; empty: this machine's.
        own: The operator's registry, which is asked without credentials, as the builder does.
        registries: Those that the operator lists may have private addresses.

    Raises:
        ValueError: It is not there for everybody, is malformed, or has triggers.
        Temporary: The registry is away.
    """
    host, rest = split(image)
    is_own = host == own.host.lower()
    registry = replace(own, user="", password="") if is_own else Registry(host=host)
    if host == DOCKER_HUB:
        registry = Registry(host=_DOCKER_HUB_API)
    name, at, digest = rest.partition("@")
    colon = name.find(":", max(0, name.rfind("/")))
    repository, tag = (name, "latest") if colon < 0 else (name[:colon], name[colon + 1 :])
    allow_private = is_own or host in {listed.lower() for listed in registries.listed}
    inspection = _Inspection(registry, repository, allow_private=allow_private)
    try:
        pinned = asyncio.run(inspection.run(digest if at else tag, _wanted(platform_name)))
    except Permanent:
        raise ValueError(f"cannot be inspected: {host} does not give it to everybody") from None
    return f"{host}/{repository}@{pinned}"


@dataclass(frozen=True, slots=True)
class _Inspection:
    registry: Registry
    repository: str
    allow_private: bool

    async def run(self, reference: str, wanted: tuple[str, str]) -> str:
        """Return the digest of the image for a platform."""
        async with http_client.guarded_client(allow_private=self.allow_private) as session:
            body = await self._get(session, f"manifests/{reference}", reference)
            manifest = _document(body)
            if manifest.get("manifests") is not None:
                reference = _chosen(manifest["manifests"], wanted)
                body = await self._get(session, f"manifests/{reference}", reference)
                manifest = _document(body)
            config = _digest_in(manifest.get("config"))
            content = _document(await self._get(session, f"blobs/{config}", config))
        if _has_triggers(content):
            raise ValueError("has ONBUILD triggers, which are not supported here; use another base")
        return _digest_of(body)

    async def _get(self, session: Session, path: str, expected: str) -> bytes:
        """Return a manifest or a blob, which has the digest that it was asked for by."""
        url = f"{self.registry.origin}/v2/{self.repository}/{path}"
        headers = {"Accept": MANIFESTS}
        answer = await _send(session, url, headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            scope = f"repository:{self.repository}:pull"
            headers["Authorization"] = await self.registry.authorized(session, answer, scope)
            answer = await _send(session, url, headers)
        current = URL(url)
        for _ in range(_MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                break
            location = answer.headers.get("Location", "")
            current = ssrf.redirect(current, location, allow_private=self.allow_private)
            answer = await _send(session, str(current), {})
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.registry.refusal(answer.status)
        if answer.status != HTTPStatus.OK:
            raise ValueError("cannot be found in its registry; is it public?")
        if _DIGEST.fullmatch(expected) and _digest_of(answer.body) != expected:
            raise ValueError("cannot be inspected: it is too large, or not what its digest says")
        return answer.body


async def _send(session: Session, url: str, headers: dict[str, str]) -> Answer:
    return await http_client.send(
        session,
        "GET",
        url,
        body=b"",
        headers=headers,
        timeout_seconds=_SECONDS,
        max_answer_bytes=_MAX_BYTES,
    )


def _wanted(platform_name: str) -> tuple[str, str]:
    machine = platform.machine()
    system, _, architecture = platform_name.partition("/")
    architecture = architecture.partition("/")[0] or _ARCHITECTURES.get(machine, machine)
    return system or "linux", architecture


def _document(body: bytes) -> dict[str, Any]:
    """Return a JSON object as builders read it: names compare without case.

    Raises:
        ValueError: It is none, or two readers may understand it differently.
    """
    with suppress(RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        document = json.loads(body, object_pairs_hook=_folded)
        if isinstance(document, dict):
            return document
    raise ValueError("cannot be inspected: its manifest is malformed")


def _folded(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if (folded := name.casefold()) in members:
            raise json.JSONDecodeError("a name stands twice", name, 0)
        members[folded] = value
    return members


def _chosen(manifests: object, wanted: tuple[str, str]) -> str:
    """Return the digest of a platform's manifest in an index."""
    for entry in manifests if isinstance(manifests, list) else ():
        described = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(described, dict):
            offered = described.get("os"), described.get("architecture")
            if offered == wanted:
                return _digest_in(entry)
    raise ValueError(f"has no variant for {'/'.join(wanted)}")


def _digest_in(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError("cannot be inspected: its manifest is malformed")
    return digest


def _digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _has_triggers(content: dict[str, Any]) -> bool:
    """Return whether an image's configuration has triggers, wherever a builder looks for them."""
    places = content, content.get("config"), content.get("container_config")
    return any(isinstance(place, dict) and place.get("onbuild") for place in places)
