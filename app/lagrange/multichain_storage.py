"""Multichain Storage: upload a result document, get its public URL.

A client of the few calls that this needs, bounded in time and size. A file that was uploaded before
is found, not uploaded again.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from app.config import Mcs
from app.errors import Permanent, Temporary
from app.net import http_client, response_bodies
from app.net.http_client import FormData, Session

CHUNK_BYTES = 10 << 20
CATEGORY = "storage"
_SERVERS = {
    "polygon.mainnet": "https://api.multichain.storage",
    "polygon.mumbai": "https://calibration-mcs-api.filswan.com",
}
_TIMEOUT_SECONDS = 30
_MAX_ANSWER_BYTES = 1 << 20
_RETRIED = frozenset({408, 425, 429})
_GATEWAY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?")
_FILE = "/api/v2/oss_file"

Text = Annotated[str, Meta(max_length=4096)]
Cid = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,128}\Z")]


class _Envelope(msgspec.Struct, frozen=True):
    status: Text = ""
    message: Text = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Bucket(msgspec.Struct, frozen=True):
    bucket_uid: Text
    bucket_name: Text


class _Check(msgspec.Struct, frozen=True):
    file_is_exist: bool
    ipfs_is_exist: bool
    file_id: int | Text | None = None


class _Merged(msgspec.Struct, frozen=True):
    file_id: int | Text


class _File(msgspec.Struct, frozen=True):
    payload_cid: Cid
    id: int | Text | None = None
    file_hash: Text = ""


class MultichainStorage:
    """A client of one bucket; it lives as long as its session."""

    def __init__(self, session: Session, config: Mcs) -> None:
        """Choose the server.

        Raises:
            Permanent: The network is unknown.
        """
        server = config.server_url or _SERVERS.get(config.network, "")
        if not server:
            known = " or ".join(_SERVERS)
            raise Permanent(f"[MCS] Network is not {known}; set ServerUrl", category=CATEGORY)
        self._session = session
        self._server = server.rstrip("/")
        self._config = config
        self._headers: dict[str, str] = {}

    async def upload(self, prefix: str, name: str, content: bytes) -> str:
        """Return the public URL of a file in the bucket; upload it unless it is there.

        Args:
            prefix: The folder in the bucket.
            name: The file's in that folder. A file of this name with other content is replaced.
            content: The whole file.

        Raises:
            Permanent: The key, the bucket or the file is refused.
            Temporary: The storage is unavailable, or its response is malformed.
        """
        await self._log_in()
        gateway = await self._gateway()
        bucket = await self._bucket()
        file = {
            "bucket_uid": bucket,
            "file_hash": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "file_name": name,
            "prefix": prefix,
        }
        stored = await self._uploaded(file, content)
        return f"https://{gateway}/ipfs/{stored.payload_cid}"

    async def _log_in(self) -> None:
        token = await self._post(
            "/api/v2/user/login_by_api_key", {"apikey": self._config.api_key}, Text
        )
        if not token.isascii() or not token.isprintable():
            raise _malformed("its token")
        self._headers = {"authorization": f"Bearer {token}"}

    async def _gateway(self) -> str:
        gateways: list[str] = await self._get("/api/v2/gateway/get_gateway", {}, list[Text])
        if not gateways or not _GATEWAY.fullmatch(gateways[0]):
            raise _malformed("its gateway")
        return gateways[0]

    async def _bucket(self) -> str:
        name = self._config.bucket_name
        path = "/api/v2/bucket/get_bucket_list"
        buckets: list[_Bucket] | None = await self._get(path, {}, list[_Bucket] | None)
        uid = next(
            (bucket.bucket_uid for bucket in buckets or () if bucket.bucket_name == name), None
        )
        if uid is None:
            message = f"Multichain Storage has no bucket {name!r}; make it, or set [MCS] BucketName"
            raise Permanent(message, category=CATEGORY)
        return uid

    async def _uploaded(self, file: Mapping[str, str], content: bytes) -> _File:
        checked = await self._post(f"{_FILE}/check", file, _Check)
        if checked.file_is_exist:
            known = await self._by_name(file)
            if known.file_hash in {"", file["file_hash"]}:
                return known
            await self._get(f"{_FILE}/delete", {"file_id": str(known.id)}, Any)
            checked = await self._post(f"{_FILE}/check", file, _Check)
        if not checked.ipfs_is_exist:
            for number, start in enumerate(range(0, len(content), CHUNK_BYTES), 1):
                part = content[start : start + CHUNK_BYTES]
                await self._send_chunk(f"{number}_{file['file_name']}", file["file_hash"], part)
            merged = await self._post(f"{_FILE}/merge", file, _Merged)
            return await self._by_id(str(merged.file_id))
        if checked.file_id is not None:
            return await self._by_id(str(checked.file_id))
        return await self._by_name(file)

    async def _by_id(self, file_id: str) -> _File:
        file: _File = await self._get(f"{_FILE}/get_file_info", {"file_id": file_id}, _File)
        return file

    async def _by_name(self, file: Mapping[str, str]) -> _File:
        name = f"{file['prefix']}/{file['file_name']}"
        query = {"bucket_uid": file["bucket_uid"], "object_name": name}
        known: _File = await self._get(f"{_FILE}/get_file_by_object_name", query, _File)
        return known

    async def _send_chunk(self, name: str, file_hash: str, part: bytes) -> None:
        form = FormData({"hash": file_hash})
        form.add_field(
            "file", io.BytesIO(part), filename=name, content_type="application/octet-stream"
        )
        await self._ask("POST", f"{_FILE}/upload", Any, body=form)

    async def _get(self, path: str, query: Mapping[str, str], kind: Any) -> Any:
        target = f"{path}?{urlencode(query)}" if query else path
        return await self._ask("GET", target, kind)

    async def _post(self, path: str, document: Mapping[str, str], kind: Any) -> Any:
        body = msgspec.json.encode(document)
        return await self._ask("POST", path, kind, body=body, media_type="application/json")

    async def _ask(
        self,
        method: str,
        path: str,
        kind: Any,
        *,
        body: bytes | FormData = b"",
        media_type: str = "",
    ) -> Any:
        """Return `data` of the answer as `kind`."""
        headers = self._headers | ({"content-type": media_type} if media_type else {})
        answer = await http_client.send(
            self._session,
            method,
            self._server + path,
            body=body,
            headers=headers,
            timeout_seconds=_TIMEOUT_SECONDS,
            max_answer_bytes=_MAX_ANSWER_BYTES,
        )
        return _data(answer, path.partition("?")[0], kind)


def _data(answer: http_client.Answer, path: str, kind: Any) -> Any:
    if answer.status in _RETRIED or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Temporary(
            f"Multichain Storage answered {answer.status} to {path}",
            category=CATEGORY,
            retry_after=response_bodies.retry_after(answer.headers),
        )
    if answer.status // 100 != HTTPStatus.OK // 100:
        message = f"Multichain Storage answered {answer.status} to {path}"
        raise Permanent(message, category=CATEGORY)
    try:
        envelope = msgspec.json.decode(answer.body, type=_Envelope)
        if envelope.status == "success":
            return msgspec.json.decode(envelope.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed(f"its response to {path}") from None
    message = f"Multichain Storage refused {path}: {envelope.message[:200]}"
    raise Permanent(message, category=CATEGORY)


def _malformed(what: str) -> Temporary:
    return Temporary(f"Multichain Storage: {what} is malformed", category=CATEGORY)
