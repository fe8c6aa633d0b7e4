"""The client against API servers that fail in every way, over real sockets."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from k8s.api import client, responses
from k8s.api.client import Cluster
from k8s.api.errors import (
    ClusterError,
    Conflict,
    Gone,
    NotFound,
    Refused,
    Unavailable,
)

Answer = tuple[int, dict[str, str], bytes]
Requests = list[dict[str, Any]]


def _status(code: int, message: str, **more: Any) -> Answer:
    return code, {}, json.dumps({"kind": "Status", "message": message, **more}).encode()


def _ok(**document: Any) -> Answer:
    return 200, {}, json.dumps(document).encode()


def _kubeconfig(folder: Path, port: int, user: dict[str, Any]) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    file = folder / "config"
    file.write_text(json.dumps(config))
    return str(file)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[..., tuple[Cluster, Requests]]]:
    """Serves the given answers, one for each request, and then the last one for ever."""
    servers: list[ThreadingHTTPServer] = []

    def serve(*answers: Answer) -> tuple[Cluster, Requests]:
        requests: Requests = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                requests.append(
                    {
                        "method": self.command,
                        "path": self.path,
                        "headers": dict(self.headers),
                        "body": json.loads(body) if body else None,
                    }
                )
                status, headers, content = answers[min(len(requests), len(answers)) - 1]
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names are http.server's.

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        file = _kubeconfig(tmp_path, server.server_port, {"token": "secret-token"})
        return client.connect(file), requests

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


Answering = Callable[..., tuple[Cluster, Requests]]
BUSY = _status(500, "etcdserver: leader changed")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_status(400, "bad"), Refused),
        (_status(401, "Unauthorized"), Refused),
        (_status(403, "exceeded quota: tenant", reason="Forbidden"), Refused),
        (_status(404, "gone"), NotFound),
        (_status(409, "changed"), Conflict),
        (_status(410, "too old"), Gone),
        (_status(422, "no"), Refused),
        (_status(500, "failed to create typed patch object (x): .spec: expected map"), Refused),
    ],
)
def test_a_refusal_is_not_retried(
    answering: Answering, answer: Answer, error: type[Refused]
) -> None:
    """A refused request is not retried, and the API server's message is kept."""
    cluster, requests = answering(answer)
    with pytest.raises(error) as refused:
        cluster.get("/api/v1/pods")
    assert refused.value.status == answer[0]
    assert refused.value.message == json.loads(answer[2])["message"]
    assert len(requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        BUSY,
        (429, {"Retry-After": "0"}, b"slow down"),
        (503, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {"Content-Length": "100", "Connection": "close"}, b"{}"),
        _status(
            403, "is being terminated", details={"causes": [{"reason": "NamespaceTerminating"}]}
        ),
    ],
)
def test_temporary_errors_are_retried(answering: Answering, answer: Answer) -> None:
    """A request to a busy or broken API server is retried, and the caller sees only the answer."""
    cluster, requests = answering(answer, answer, _ok(kind="Pod"))
    assert cluster.get("/api/v1/pods") == {"kind": "Pod"}
    assert len(requests) == 3


def test_retries_end(answering: Answering) -> None:
    """An API server that stays busy is unavailable after a bounded number of requests."""
    cluster, requests = answering(BUSY)
    with pytest.raises(Unavailable, match="leader changed"):
        cluster.get("/api/v1/pods")
    assert len(requests) == client.ATTEMPTS


def test_retry_after_is_honoured(answering: Answering) -> None:
    """The API server is not asked again before it wants to be."""
    cluster, _ = answering((429, {"Retry-After": "1"}, b"{}"), _ok())
    began = time.monotonic()
    cluster.get("/api/v1/pods")
    assert 1 <= time.monotonic() - began < client.LONGEST_WAIT_SECONDS


def test_nobody_answers(tmp_path: Path) -> None:
    """A port that nobody listens on is unavailable, not an error of another library."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        cluster = client.connect(_kubeconfig(tmp_path, taken.getsockname()[1], {}))
        with pytest.raises(Unavailable, match="/version"):
            cluster.get("/version")


def test_silence_is_unavailable(tmp_path: Path) -> None:
    """A server that accepts and says nothing ends with the read timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = client.connect(_kubeconfig(tmp_path, silent.getsockname()[1], {}))
        opened = cluster.stream("/api/v1/pods", read_timeout_seconds=0.1, watch="true")
        with pytest.raises(Unavailable, match="timed out"), opened:
            pass


def test_apply_is_forced_and_ours(answering: Answering) -> None:
    """Apply is server-side, under our field manager, and a conflict of the moment is retried."""
    cluster, requests = answering(_status(409, "modified"), _ok(kind="Pod"))
    cluster.apply("/api/v1/namespaces/a/pods/b", {"kind": "Pod"}, dry_run=True)
    last = requests[-1]
    assert last["method"] == "PATCH"
    assert last["path"].endswith("/b?fieldManager=computing-provider&force=true&dryRun=All")
    assert last["headers"]["Content-Type"] == "application/apply-patch+yaml"
    assert last["headers"]["authorization"] == "Bearer secret-token"
    assert last["body"] == {"kind": "Pod"}


def test_delete_names_what_it_means(answering: Answering) -> None:
    """A deletion is bound to uid and version, and what is absent is deleted."""
    cluster, requests = answering(_status(404, "none"))
    cluster.delete("/api/v1/namespaces/a/pods/b", uid="u", version="7")
    assert requests[0]["body"] == {
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }


def test_lists_come_page_by_page(answering: Answering) -> None:
    """All pages are one list, and each object says what it is."""
    head = {"kind": "PodList", "apiVersion": "v1"}
    first = _ok(**head, items=[{"a": 1}], metadata={"continue": "t&1"})
    cluster, requests = answering(first, _ok(**head, items=[{"a": 2}], metadata={}))
    kind = {"kind": "Pod", "apiVersion": "v1"}
    assert cluster.list("/api/v1/pods", selector="x=y") == [{**kind, "a": 1}, {**kind, "a": 2}]
    assert "labelSelector=x%3Dy" in requests[1]["path"]
    assert "continue=t%261" in requests[1]["path"]


def test_a_list_that_got_too_old_starts_again(answering: Answering) -> None:
    """A continue token that has expired costs a second reading, not the list."""
    first = _ok(kind="PodList", items=[{"a": 1}], metadata={"continue": "t"})
    whole = _ok(kind="PodList", items=[{"a": 1}, {"a": 2}], metadata={})
    cluster, _ = answering(first, _status(410, "expired"), whole)
    assert len(cluster.list("/api/v1/pods")) == 2


def test_answers_are_bounded(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's line that never ends is an error before it fills the memory."""
    cluster, _ = answering((200, {}, b"a\nb\n" + b"x" * 200))
    monkeypatch.setattr(responses.lines, "__defaults__", (100,))
    with cluster.stream("/api/v1/pods", read_timeout_seconds=1) as stream:
        assert [next(stream), next(stream)] == [b"a", b"b"]
        with pytest.raises(ClusterError, match="longer than 100 bytes"):
            next(stream)


def test_streams_end_with_their_last_line(answering: Answering) -> None:
    """Lines come without their ends, and the last one needs none."""
    cluster, _ = answering((200, {}, b"a\n\nb"))
    with cluster.stream("/x", read_timeout_seconds=1) as stream:
        assert list(stream) == [b"a", b"", b"b"]


def test_logs_are_text(answering: Answering) -> None:
    """Whatever bytes a container writes, its log is text, and bounded at the source."""
    cluster, requests = answering((200, {}, b"\xff ok"))
    assert cluster.log("/api/v1/namespaces/a/pods/b", tail_lines=5, previous=True) == "\ufffd ok"
    assert requests[0]["path"].endswith("/b/log?tailLines=5&limitBytes=1048576&previous=true")


def test_a_fork_has_connections_of_its_own(answering: Answering) -> None:
    """A forked process does not read the answers to its parent's requests."""
    cluster, _ = answering(_ok())
    cluster.get("/a")
    before = cluster._pool
    child = os.fork()
    if not child:
        cluster.get("/a")
        os._exit(0 if cluster._pool is not before else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cluster._pool is before


@pytest.mark.parametrize("text", [None, "", "{", "[]", "clusters: 1", "current-context: x"])
def test_credentials_that_are_none(tmp_path: Path, text: str | None) -> None:
    """A missing or broken kubeconfig is an error that names the file."""
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ClusterError, match=str(file)):
        client.connect(str(file))


def test_the_users_kubeconfig_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a pod, with nothing configured, KUBECONFIG is read."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", _kubeconfig(tmp_path, 1, {}))
    assert client.connect()._configuration.host == "http://127.0.0.1:1"


def test_in_a_pod_the_service_account_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod without a token the error says so, and no other cluster is taken instead."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ClusterError, match="service account"):
        client.connect()
