"""The process `web` as a whole: Redis away, TLS, and whatever strangers send."""

import datetime as dt
import ipaddress
import json
import signal
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from app.context import Context, open_context
from app.demo import local_redis
from app.errors import ConfigError
from app.processes import supervisor
from app.processes import web as web_process
from tests.app.intake.test_payloads import JSON
from tests.app.web.test_webhooks import held, problem, unchanged
from tests.support import market
from tests.support.ports import free_port
from tests.support.web_server import Web, serving

if TYPE_CHECKING:
    import subprocess

JOBS = "/api/v1/computing/lagrange/jobs"
PROMPT_SECONDS = 3.5


class Memory:
    """A Redis that can be stopped, frozen and started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start on what was written."""
        self.process: subprocess.Popen[bytes] = local_redis.start(self.folder, self.port)

    def stop(self) -> None:
        """Stop."""
        supervisor.end(self.process, 5)


@contextmanager
def remembering(folder: Path, *, more: str = "") -> Iterator[tuple[Web, Memory, Context]]:
    """Serve with a Redis of its own."""
    memory = Memory(folder / "redis")
    (folder / "config.toml").write_text(market.configuration(memory.url, more=more))
    opening = open_context(str(folder))
    try:
        with serving(opening) as web:
            yield web, memory, opening
    finally:
        opening.redis.close()
        memory.process.send_signal(signal.SIGCONT)
        memory.stop()


def refused_for_now(web: Web, message: market.Signed, path: str = "/webhooks") -> None:
    """Send a message and check that it is refused at once, until later."""
    started = time.monotonic()
    answer = web.send(message, path)
    assert time.monotonic() - started < PROMPT_SECONDS
    assert problem(answer) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


def messages(data: dict[str, Any]) -> list[tuple[str, market.Signed]]:
    """Return one message for each endpoint that changes something."""
    body = market.encoded(data)
    renewal = market.encoded({"uuid": data["uuid"], "duration": 60})
    return [
        ("/webhooks", market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})),
        ("/webhooks", market.signed("job.terminated", {"job_uuid": data["uuid"]})),
        (JOBS, market.Signed(market.v1(body), body)),
        (f"{JOBS}/redeploy", market.Signed(market.v1(body), body)),
        (f"{JOBS}/renew", market.Signed(market.v1(renewal), renewal)),
    ]


def test_redis_away(tmp_path: Path) -> None:
    """Without Redis every event is refused at once; when it is back, all is as before."""
    data = market.job()
    assignment = market.signed("job.assigned", data)
    with remembering(tmp_path) as (web, memory, context):
        first = web.send(assignment)
        memory.stop()
        refused_for_now(web, assignment)
        refused_for_now(web, market.signed("job.assigned", market.job()))
        for path, message in messages(data):
            refused_for_now(web, message, path)
        assert web.call("GET", "/healthz").status == 200
        assert web.call("GET", "/readyz").status == 503
        assert web.call("GET", "/metrics").status == 503
        status = first.json["status_url"].partition("8085")[2]
        assert problem(web.call("GET", status)) == (503, "unavailable")
        memory.start()
        assert web.call("GET", "/readyz").status == 200
        assert web.send(assignment).body == first.body
        assert web.webhook("job.assigned", market.job()).status == 202
        assert held(context, data).duration == 900


def test_redis_hangs(tmp_path: Path) -> None:
    """A Redis that takes connections and says nothing is as good as away; no event counts twice."""
    data = market.job()
    with remembering(tmp_path) as (web, memory, context):
        assert web.webhook("job.assigned", data).status == 202
        memory.process.send_signal(signal.SIGSTOP)
        renewal = market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})
        refused_for_now(web, renewal)
        assert web.call("GET", "/healthz").status == 200
        memory.process.send_signal(signal.SIGCONT)
        assert web.send(renewal).status == 202
        assert held(context, data).duration == 960


def test_redis_refuses(tmp_path: Path) -> None:
    """A Redis that is full or read-only is as good as away, and keeps what it has."""
    with remembering(tmp_path) as (web, memory, _), redis.Redis.from_url(memory.url) as connection:
        assert web.webhook("job.assigned", market.job()).status == 202
        with unchanged(memory.url):
            connection.config_set("maxmemory", "1")
            refused_for_now(web, market.signed("job.assigned", market.job()))
            connection.config_set("maxmemory", "0")
            connection.replicaof("127.0.0.1", "1")
            refused_for_now(web, market.signed("job.assigned", market.job()))
            connection.replicaof("NO", "ONE")
        connection.script_flush()
        assert web.webhook("job.assigned", market.job()).status == 202


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, SHA256())
    )
    crt, private = tmp_path / "server.crt", tmp_path / "server.key"
    crt.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    return crt, private


def secured(folder: Path, redis_url: str, crt: Path, key: Path) -> Context:
    """Return the context of a provider with a certificate."""
    more = f'[LOG]\nCrtFile = "{crt}"\nKeyFile = "{key}"'
    (folder / "config.toml").write_text(market.configuration(redis_url, more=more))
    return open_context(str(folder))


def test_tls(provider_folder: Path, redis_url: str, certificate: tuple[Path, Path]) -> None:
    """With a certificate it serves TLS and nothing else, and its links say so."""
    crt, key = certificate
    message = market.signed("job.assigned", market.job())
    with serving(secured(provider_folder, redis_url, crt, key)) as web:
        request = urllib.request.Request(
            f"https://127.0.0.1:{web.port}/webhooks", message.body, message.headers, method="POST"
        )
        trusting = ssl.create_default_context(cafile=str(crt))
        with urllib.request.urlopen(request, timeout=5, context=trusting) as answer:  # noqa: S310
            assert answer.status == 202
            assert json.load(answer)["status_url"].startswith("https://192.0.2.7:8085/tasks/")
        with pytest.raises(OSError, match=r"."):
            web.send(message)


def test_no_certificate(
    provider_folder: Path, redis_url: str, certificate: tuple[Path, Path]
) -> None:
    """A certificate that is missing, none, or alone, is told by its key in the configuration."""
    crt, key = certificate
    missing = crt.with_name("missing")
    for wrong in ((missing, key), (crt, missing), (crt, crt), (key, key)):
        with pytest.raises(ConfigError, match="CrtFile"):
            web_process.server(secured(provider_folder, redis_url, *wrong), port=0)
    context = open_context(str(provider_folder))
    text = market.configuration(redis_url, more=f'[LOG]\nCrtFile = "{crt}"')
    (context.folder / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match="both or not at all"):
        web_process.server(open_context(str(provider_folder)), port=0)


def test_incomplete(tmp_path: Path) -> None:
    """A provider without a domain, whom nobody may send anything, does not start, and says why."""
    with pytest.raises(ConfigError) as caught:
        web_process.server(open_context(str(tmp_path)), port=0)
    assert len(caught.value.problems) == 2


def test_malformed_keys(provider_folder: Path) -> None:
    """A malformed key stops it at the start, without showing the key."""
    path = provider_folder / "config.toml"
    path.write_text(path.read_text().replace(market.SECRET, "whsec_hunter2"))
    with pytest.raises(ConfigError) as caught:
        web_process.server(open_context(str(provider_folder)), port=0)
    assert "[WEBHOOK] Secrets[1]" in str(caught.value)
    assert "hunter2" not in str(caught.value)


FIELDS = st.dictionaries(
    st.sampled_from(
        [*market.job(), "job_type", "ip_white_list", "node_id_job_source_uri_signature"]
    ),
    JSON | st.sampled_from(["", "x" * 2049, "\x00", "0x" + "11" * 65, 10**40]),
    max_size=6,
)
DOCUMENTS = JSON | FIELDS | FIELDS.map(lambda fields: market.job(**fields))
KINDS = st.sampled_from(["job.assigned", "job.renewed", "job.redeployed", "job.terminated"])
EVENTS = st.builds(
    lambda kind, data, more: {"type": kind, "data": data} | more,
    KINDS | JSON,
    DOCUMENTS,
    st.dictionaries(st.sampled_from(["type", "data", "timestamp"]), JSON, max_size=1),
)
BODIES = (
    st.binary(max_size=200)
    | EVENTS.map(lambda document: json.dumps(document).encode("utf-8", "surrogatepass"))
    | DOCUMENTS.map(lambda document: json.dumps(document).encode("utf-8", "surrogatepass"))
)
PATHS = st.sampled_from(["/webhooks", JOBS, f"{JOBS}/redeploy", f"{JOBS}/renew"])


def test_no_body_breaks_it(web: Web) -> None:
    """Whatever is in a body, signed or not, the answer is one of those that are promised."""

    @settings(max_examples=400, deadline=None)
    @given(path=PATHS, body=BODIES, is_signed=st.booleans())
    def check(path: str, body: bytes, *, is_signed: bool) -> None:
        headers = market.v1a(body) if is_signed else {"content-type": "application/json"}
        answer = web.post(path, body, headers)
        assert answer.status in ({200, 202, 400, 404, 409, 422} if is_signed else {401}), answer
        if answer.status >= 400:
            problem(answer)

    check()


def test_no_query_breaks_it(web: Web) -> None:
    """Nor whatever is in a query."""

    @settings(max_examples=200, deadline=None)
    @given(
        names=st.lists(
            st.tuples(
                st.sampled_from(
                    ["task_uuid", "space_uuid", "job_uuid", "node_id_task_uuid_signature", "x"]
                ).map(str.encode),
                st.binary(max_size=70) | st.text(max_size=40).map(str.encode),
            ),
            max_size=4,
        ),
        is_quoted=st.booleans(),
        is_signed=st.booleans(),
    )
    def check(names: list[tuple[bytes, bytes]], *, is_quoted: bool, is_signed: bool) -> None:
        pairs = (name + b"=" + _quoted(value, is_quoted=is_quoted) for name, value in names)
        query = b"&".join(pairs)
        headers = market.v1(b"") if is_signed else {}
        status = raw(web, b"DELETE", JOBS.encode() + b"?" + query, headers)
        assert status in (200, 400, 401, 409, 422)

    check()


def test_no_path_breaks_it(web: Web) -> None:
    """Nor whatever is in a path."""

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from([b"/", b"/tasks/", b"/webhooks", b"/webhooks/", b"//", b"*", b""]),
        st.binary(max_size=40) | st.text(max_size=20).map(str.encode),
        st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"X"]),
    )
    def check(prefix: bytes, path: bytes, method: bytes) -> None:
        assert raw(web, method, prefix + path, {}) != 500

    check()


def test_no_headers_break_it(web: Web) -> None:
    """Nor whatever is in the headers, signed or not."""
    names = st.sampled_from(
        [
            b"host",
            b"content-type",
            b"webhook-id",
            b"webhook-timestamp",
            b"webhook-signature",
            b"expect",
            b"upgrade",
            b"connection",
            b"transfer-encoding",
            b"accept",
            b"x-forwarded-for",
        ]
    )
    values = st.binary(max_size=60) | st.sampled_from(
        [b"[", b"[::1", b"a?b", b"x/y#z", b"100-continue", b"websocket", b"upgrade", b"chunked"]
    )

    @settings(max_examples=400, deadline=None)
    @given(
        path=PATHS,
        more=st.lists(st.tuples(names | st.binary(max_size=20), values), max_size=5),
        is_signed=st.booleans(),
    )
    def check(path: str, more: list[tuple[bytes, bytes]], *, is_signed: bool) -> None:
        body = market.encoded(market.job())
        headers = market.v1(body) if is_signed else {}
        assert raw(web, b"POST", path.encode(), headers, more, body) != 500

    check()


def _quoted(value: bytes, *, is_quoted: bool) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in value) if is_quoted else value


def raw(  # noqa: PLR0917 - a request, part by part.
    web: Web,
    method: bytes,
    path: bytes,
    headers: market.Headers,
    more: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
) -> int:
    """Send bytes as they are; return the status of the answer, 0 when there is none."""
    lines = [method + b" " + path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in more or []]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    with web.connect() as connection, suppress(ConnectionError, TimeoutError):
        connection.settimeout(0.2)
        connection.sendall(b"\r\n".join(lines))
        answer = connection.recv(1 << 16)
        return int(answer.split(b" ")[1]) if answer else 0
    return 0
