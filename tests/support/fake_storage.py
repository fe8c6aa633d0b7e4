"""A stand-in for Multichain Storage: the calls that a provider makes of it, over real HTTP."""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

API_KEY = "a key"
TOKEN = "a token"
BUCKET = {"bucket_uid": "uid-1", "bucket_name": "results"}


@dataclass
class Storage:
    """Serves between `start` and `stop`; a context manager does both.

    Attributes:
        files: What the bucket holds, by `<prefix>/<name>`.
        chunks: Uploaded parts by the whole's hash, then by name.
        calls: Every call's path, in order.
        faults: Called with a path before each answer; returns a status to answer instead, or None.
        garbage: Answered instead of JSON, when it is not empty.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    chunks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: Callable[[str], int | None] = lambda _: None
    garbage: bytes = b""

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = outer.answer(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815 - the names that it looks for.

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def content(self, name: str) -> bytes:
        """Return what a file holds: its chunks in order."""
        parts = self.chunks[self.files[name]["file_hash"]]
        return b"".join(
            parts[one] for one in sorted(parts, key=lambda part: int(part.split("_")[0]))
        )

    def answer(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer one call."""
        parts = urlsplit(target)
        call = parts.path.removeprefix("/api/v2/")
        self.calls.append(call)
        if (status := self.faults(call)) is not None:
            return status, b""
        if self.garbage:
            return 200, self.garbage
        given = {name.lower(): value for name, value in headers.items()}
        if call == "user/login_by_api_key":
            known = json.loads(body) == {"apikey": API_KEY}
            return _success(TOKEN) if known else _error("wrong key")
        if given.get("authorization") != f"Bearer {TOKEN}":
            return 401, b""
        if call == "oss_file/upload":
            return self._upload(given["content-type"], body)
        asked = json.loads(body) if body else dict(parse_qsl(parts.query))
        answers: dict[str, Callable[[dict[str, str]], Any]] = {
            "gateway/get_gateway": lambda _: ["gateway.example.com"],
            "bucket/get_bucket_list": lambda _: [{"bucket_uid": "x", "bucket_name": "y"}, BUCKET],
            "oss_file/check": self._check,
            "oss_file/merge": self._merge,
            "oss_file/get_file_info": self._info,
            "oss_file/get_file_by_object_name": lambda asked: self.files[asked["object_name"]],
            "oss_file/delete": self._delete,
        }
        return _success(answers[call](asked)) if call in answers else (404, b"")

    def _check(self, asked: dict[str, str]) -> dict[str, Any]:
        known = self.files.get(f"{asked['prefix']}/{asked['file_name']}")
        same = [one for one in self.files.values() if one["file_hash"] == asked["file_hash"]]
        return {"file_is_exist": known is not None, "ipfs_is_exist": bool(same)}

    def _upload(self, kind: str, body: bytes) -> tuple[int, bytes]:
        parser = BytesParser(policy=HTTP)
        message = parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        file_hash, name, part = "", "", b""
        for one in message.iter_parts():
            content = one.get_payload(decode=True)
            if one.get_filename():
                name, part = str(one.get_filename()), bytes(content)
            else:
                file_hash = bytes(content).decode()
        self.chunks.setdefault(file_hash, {})[name] = part
        return _success([name])

    def _merge(self, asked: dict[str, str]) -> dict[str, Any]:
        name = f"{asked['prefix']}/{asked['file_name']}"
        cid = "Qm" + hashlib.sha256(asked["file_hash"].encode()).hexdigest()[:44]
        self.files[name] = {
            "id": len(self.calls),
            "file_hash": asked["file_hash"],
            "payload_cid": cid,
        }
        whole = hashlib.md5(self.content(name), usedforsecurity=False).hexdigest()
        assert whole == asked["file_hash"], "the parts are not the whole"
        return {"file_id": self.files[name]["id"]}

    def _info(self, asked: dict[str, str]) -> dict[str, Any]:
        return next(one for one in self.files.values() if str(one["id"]) == asked["file_id"])

    def _delete(self, asked: dict[str, str]) -> bool:
        self.files = {
            name: one for name, one in self.files.items() if str(one["id"]) != asked["file_id"]
        }
        return True


def _success(data: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"status": "success", "data": data}).encode()


def _error(message: str) -> tuple[int, bytes]:
    return 200, json.dumps({"status": "error", "message": message}).encode()
