"""The process `web` against any bytes that strangers send."""

import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import market
from tests.support.arbitrary_json import JSON
from tests.support.legacy_requests import JOBS
from tests.support.problem_documents import problem
from tests.support.web_server import Web

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
    """No body, signed or not, has an answer outside the protocol."""

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
    """Nor does any query."""

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
        status = raw(web, b"DELETE", JOBS.encode() + b"?" + query, headers, seconds=20)
        assert status in (200, 400, 401, 409, 422)

    check()


def test_no_path_breaks_it(web: Web) -> None:
    """Nor does any path."""

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
    """Nor do any headers, signed or not."""
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
    *,
    seconds: float = 0.2,
) -> int:
    """Send bytes as they are; return the status of the answer, 0 when there is none."""
    lines = [method + b" " + path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in more or []]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    with web.connect() as connection, suppress(ConnectionError, TimeoutError):
        connection.settimeout(seconds)
        connection.sendall(b"\r\n".join(lines))
        answer = connection.recv(1 << 16)
        return int(answer.split(b" ")[1]) if answer else 0
    return 0
