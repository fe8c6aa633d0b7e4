"""A build's files on their way to a Job: an image of one file in the registry that builds push to.

The registry is what both sides reach in any case, and keeps the files until they are fetched,
whoever of them dies meanwhile.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from app.errors import Permanent
from app.net import http_client
from app.net.http_client import Answer, Session
from app.spaces.images.build_context import BuildContext
from app.spaces.images.registry import Registry

_CHUNK_BYTES = 4 << 20
_SECONDS = 60.0
_ANSWER_BYTES = 1 << 16
_MODE = 0o755
_FILE = "context.tar"
_TIME = 946_684_800  # The year 2000: archives know none before 1980.
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class ContextImage:
    """A context image in the registry.

    Attributes:
        image: Its name with its digest.
        digest: `sha256:…`.
        bytes: How large it is.
    """

    image: str
    digest: str
    bytes: int


def name(image: str) -> str:
    """Return the name under which the files of an image travel."""
    return f"{image}-context"


async def send(registry: Registry, image: str, context: BuildContext, folder: Path) -> ContextImage:
    """Send what an image is built from, as the file `context.tar`.

    Args:
        registry: Where to.
        image: What will be built.
        context: Its files.
        folder: For what is packed, with room for the files twice.

    Raises:
        OSError: The files cannot be packed.
        Permanent, Temporary: The registry refuses, or is away.
    """
    layer = _packed(context.folder, folder)
    digest, size = _digest(layer), layer.stat().st_size
    config = _encoded(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest]},
        }
    )
    manifest = _encoded(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(_CONFIG, _digest_of(config), len(config)),
            "layers": [_described(_LAYER, digest, size)],
        }
    )
    repository, tag = registry.named(name(image))
    async with http_client.client() as session:
        upload = _Upload(registry, session, repository)
        await upload.blob(digest, _chunks(layer))
        await upload.blob(_digest_of(config), iter([config]))
        await upload.manifest(tag, manifest)
    digest = _digest_of(manifest)
    return ContextImage(f"{registry.host}/{repository}@{digest}", digest, size)


def _packed(context: Path, folder: Path) -> Path:
    """Pack the files, and what they are packed in: whatever they are called, no layer knows it."""
    inner, layer = folder / _FILE, folder / "layer.tar"
    with tarfile.open(inner, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(context, ".", filter=_plain)
    with tarfile.open(layer, "w") as tar:
        tar.add(inner, _FILE, filter=_plain)
    inner.unlink()
    return layer


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's, and of one time: the same files make the same parcel."""
    entry.mode, entry.mtime = _MODE, _TIME
    entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, "", ""
    return entry


def _described(kind: str, digest: str, size: int) -> dict[str, str | int]:
    return {"mediaType": kind, "digest": digest, "size": size}


def _encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            yield chunk


@dataclass(slots=True)
class _Upload:
    """A push into one repository (OCI distribution), with credentials once they are asked for."""

    registry: Registry
    session: Session
    repository: str
    _authorization: dict[str, str] = field(default_factory=dict)

    async def blob(self, digest: str, chunks: Iterator[bytes]) -> None:
        """Push a blob that the registry does not have, piece by piece."""
        there = await self._ask("HEAD", self._url(f"blobs/{digest}"))
        if there.status == HTTPStatus.OK:
            return
        answer = await self._done("POST", self._url("blobs/uploads/"), {HTTPStatus.ACCEPTED})
        start = 0
        for chunk in chunks:
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{start}-{start + len(chunk) - 1}",
            }
            where = self._located(answer)
            expected = {HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}
            answer = await self._done("PATCH", where, expected, chunk, headers)
            start += len(chunk)
        where = self._located(answer)
        parted = "&" if urlsplit(where).query else "?"
        url = f"{where}{parted}{urlencode({'digest': digest})}"
        await self._done("PUT", url, {HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})

    async def manifest(self, tag: str, content: bytes) -> None:
        """Push a manifest."""
        url, headers = self._url(f"manifests/{tag}"), {"Content-Type": _MANIFEST}
        await self._done("PUT", url, {HTTPStatus.CREATED}, content, headers)

    def _url(self, rest: str) -> str:
        return f"{self.registry.origin}/v2/{self.repository}/{rest}"

    def _located(self, answer: Answer) -> str:
        """Return where the upload goes on; credentials go nowhere but to the registry."""
        url = urljoin(f"{self.registry.origin}/", answer.headers.get("Location", ""))
        if f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" != self.registry.origin:
            raise Permanent(
                f"the registry {self.registry.host} sends uploads elsewhere, which the builder"
                " buildkit-job does not do; its operator has to name that address in [Registry]",
                category="registry_refused",
            )
        return url

    async def _done(
        self,
        method: str,
        url: str,
        expected: set[HTTPStatus],
        body: bytes = b"",
        headers: Mapping[str, str] = {},
    ) -> Answer:
        answer = await self._ask(method, url, body, headers)
        if answer.status not in expected:
            raise self.registry.refusal(answer.status)
        return answer

    async def _ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> Answer:
        answer = await self._sent(method, url, body, headers)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            scope = f"repository:{self.repository}:pull,push"
            authorization = await self.registry.authorized(self.session, answer, scope)
            self._authorization = {"Authorization": authorization}
            answer = await self._sent(method, url, body, headers)
        return answer

    async def _sent(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await http_client.send(
            self.session,
            method,
            url,
            body=body,
            headers={**headers, **self._authorization},
            timeout_seconds=_SECONDS,
            max_answer_bytes=_ANSWER_BYTES,
        )
