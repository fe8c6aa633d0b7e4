"""The operator's registry: which of our images it has (OCI distribution, API version 2)."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import msgspec

from app import config
from app.errors import Failure, Permanent, Temporary
from app.net import http_client
from app.net.http_client import Answer, Session
from app.spaces.image_registries import ImageRegistries

_SECONDS = 20.0
_MANIFEST_BYTES = 4 << 20
_ADDRESS = re.compile(
    r"(?:(https?)://)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
    r"((?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)/?"
)
_PARAMETER = re.compile(r'([a-zA-Z]+)="([^"]*)"')
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json,"
    "application/vnd.oci.image.index.v1+json,"
    "application/vnd.docker.distribution.manifest.v2+json,"
    "application/vnd.docker.distribution.manifest.list.v2+json"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry, and our account there.

    Attributes:
        host: With its port.
        path: A prefix of our names there, with a leading `/`, or empty.
        plain_http: It has no TLS.
        user: Empty: no credentials are sent.
        password: With it.
    """

    host: str
    path: str = ""
    plain_http: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """The prefix of our images' names."""
        return self.host + self.path

    @property
    def images(self) -> str:
        """The prefix of the names of images that are built here."""
        return f"{self.place}/lagrange"

    def docker_config(self) -> bytes:
        """Return a `config.json` with its credentials, as every builder reads it."""
        if not self.user:
            return b'{"auths": {}}'
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": token}}}).encode()

    async def digest(self, image: str) -> str | None:
        """Return the digest (`sha256:…`) of one of our images; None: the registry does not have it.

        Raises:
            Permanent: `registry_refused`: the credentials do not do.
            Temporary: `registry`, `unreachable`: it is away.
        """
        answer = await self._ask("GET", *self.named(image), actions="pull")
        if answer.status == HTTPStatus.OK:
            return _digest(answer.body)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        raise self.refusal(answer.status)

    async def has(self, image: str, digest: str) -> bool:
        """Return whether the repository of one of our images still has this digest.

        Raises:
            Permanent, Temporary: As `digest`.
        """
        repository, _ = self.named(image)
        answer = await self._ask("GET", repository, digest, actions="pull")
        if answer.status == HTTPStatus.OK:
            return _digest(answer.body) == digest
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        raise self.refusal(answer.status)

    async def delete(self, image: str, digest: str) -> bool:
        """Delete what one of our images is; return whether the registry does such a thing.

        Raises:
            Permanent, Temporary: As `digest`.
        """
        repository, _ = self.named(image)
        answer = await self._ask("DELETE", repository, digest, actions="pull,delete")
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return False
        if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}:
            raise self.refusal(answer.status)
        return True

    def named(self, image: str) -> tuple[str, str]:
        """Return the repository and the tag in an image's name."""
        repository, _, tag = image.removeprefix(f"{self.host}/").rpartition(":")
        return repository, tag

    @property
    def origin(self) -> str:
        """The URL of its API."""
        return f"{'http' if self.plain_http else 'https'}://{self.host}"

    def refusal(self, status: int) -> Failure:
        """Return what an answer with this status means."""
        message = f"the registry {self.host} answers {status}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return Temporary(message, category="registry")
        return Permanent(
            f"{message}; the provider's operator has to look at [Registry]",
            category="registry_refused",
        )

    async def _ask(self, method: str, repository: str, reference: str, *, actions: str) -> Answer:
        """Ask for a manifest, with credentials once they are asked for."""
        url = f"{self.origin}/v2/{repository}/manifests/{reference}"
        headers = {"Accept": MANIFESTS}
        async with http_client.client() as session:
            answer = await _sent(session, method, url, headers)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                scope = f"repository:{repository}:{actions}"
                headers["Authorization"] = await self.authorized(session, answer, scope)
                answer = await _sent(session, method, url, headers)
        return answer

    async def authorized(self, session: Session, challenged: Answer, scope: str) -> str:
        """Return the Authorization that a challenge asks for: Basic, or a token server's token."""
        scheme, _, rest = challenged.headers.get("WWW-Authenticate", "").partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer":
            if not self.user:
                raise self.refusal(challenged.status)
            return self._basic()
        realm = urlsplit(parameters.get("realm", ""))
        if realm.scheme != "https" and not (self.plain_http and realm.scheme == "http"):
            raise self.refusal(challenged.status)
        service = parameters.get("service")
        query = urlencode({"scope": scope, **({"service": service} if service else {})})
        headers = {"Authorization": self._basic()} if self.user else {}
        answer = await _sent(session, "GET", f"{realm.geturl()}?{query}", headers)
        if answer.status != HTTPStatus.OK:
            raise self.refusal(answer.status)
        return f"Bearer {_token(answer.body)}"

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def _digest(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


async def _sent(session: Session, method: str, url: str, headers: Mapping[str, str]) -> Answer:
    return await http_client.send(
        session,
        method,
        url,
        body=b"",
        headers=headers,
        timeout_seconds=_SECONDS,
        max_answer_bytes=_MANIFEST_BYTES,
    )


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def _token(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_Token)
    except msgspec.DecodeError:
        raise Temporary(
            "the registry's token server answers no token", category="registry"
        ) from None
    return answer.token or answer.access_token


def configured(table: config.Registry) -> Registry | None:
    """Return the operator's registry; None when none is configured.

    Raises:
        Permanent: `registry_invalid`: the address is none.
    """
    if not table.server_address.strip():
        return None
    address = _ADDRESS.fullmatch(table.server_address.strip())
    if address is None:
        raise Permanent(
            "the address of this provider's registry is wrong; its operator has to correct"
            " [Registry] ServerAddress (`registry.example.com`, or `http://…` without TLS)",
            category="registry_invalid",
        )
    scheme, host, path = address.groups()
    return Registry(
        host=host,
        path=path,
        plain_http=scheme == "http",
        user=table.user_name,
        password=table.password,
    )


def allowed_registries(configuration: config.Config) -> ImageRegistries:
    """Return the registries that tenants' images may come from.

    Raises:
        Permanent: `registry_invalid`: the address of our own is none.
    """
    own = configured(configuration.registry)
    return ImageRegistries(
        own=own.host if own else "", listed=configuration.cluster.image_registries
    )
