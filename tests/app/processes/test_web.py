"""The process `web` as a whole: Redis away, and TLS."""

import json
import signal
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from app.context import Context, open_context
from app.demo import local_redis
from app.errors import ConfigError
from app.processes import supervisor
from app.processes import web as web_process
from tests.support import market
from tests.support.certificates import secured
from tests.support.held_tasks import held
from tests.support.legacy_requests import JOBS
from tests.support.ports import free_port
from tests.support.problem_documents import problem
from tests.support.redis_contents import unchanged
from tests.support.web_server import Web, serving

if TYPE_CHECKING:
    import subprocess

PROMPT_SECONDS = 3.5


class OwnRedis:
    """A Redis that can be stopped, frozen and started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start on the data of before."""
        self.process: subprocess.Popen[bytes] = local_redis.start(self.folder, self.port)

    def stop(self) -> None:
        """Stop."""
        supervisor.end(self.process, 5)


@contextmanager
def serving_on_own_redis(
    folder: Path, *, more: str = ""
) -> Iterator[tuple[Web, OwnRedis, Context]]:
    """Serve with a Redis of its own."""
    server = OwnRedis(folder / "redis")
    (folder / "config.toml").write_text(market.configuration(server.url, more=more))
    opening = open_context(str(folder))
    try:
        with serving(opening) as web:
            yield web, server, opening
    finally:
        opening.redis.close()
        server.process.send_signal(signal.SIGCONT)
        server.stop()


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
    with serving_on_own_redis(tmp_path) as (web, server, context):
        first = web.send(assignment)
        server.stop()
        refused_for_now(web, assignment)
        refused_for_now(web, market.signed("job.assigned", market.job()))
        for path, message in messages(data):
            refused_for_now(web, message, path)
        assert web.call("GET", "/healthz").status == 200
        assert web.call("GET", "/readyz").status == 503
        assert web.call("GET", "/metrics").status == 503
        status = first.json["status_url"].partition("8085")[2]
        assert problem(web.call("GET", status)) == (503, "unavailable")
        server.start()
        assert web.call("GET", "/readyz").status == 200
        assert web.send(assignment).body == first.body
        assert web.webhook("job.assigned", market.job()).status == 202
        assert held(context, data).duration == 900


def test_redis_hangs(tmp_path: Path) -> None:
    """A Redis that never answers is as good as away; no event counts twice."""
    data = market.job()
    with serving_on_own_redis(tmp_path) as (web, server, context):
        assert web.webhook("job.assigned", data).status == 202
        server.process.send_signal(signal.SIGSTOP)
        renewal = market.signed("job.renewed", {"job_uuid": data["uuid"], "duration": 60})
        refused_for_now(web, renewal)
        assert web.call("GET", "/healthz").status == 200
        server.process.send_signal(signal.SIGCONT)
        assert web.send(renewal).status == 202
        assert held(context, data).duration == 960


def test_redis_refuses(tmp_path: Path) -> None:
    """A Redis that is full or read-only is as good as away, and keeps what it has."""
    with (
        serving_on_own_redis(tmp_path) as (web, server, _),
        redis.Redis.from_url(server.url) as connection,
    ):
        assert web.webhook("job.assigned", market.job()).status == 202
        with unchanged(server.url):
            connection.config_set("maxmemory", "1")
            refused_for_now(web, market.signed("job.assigned", market.job()))
            connection.config_set("maxmemory", "0")
            connection.replicaof("127.0.0.1", "1")
            refused_for_now(web, market.signed("job.assigned", market.job()))
            connection.replicaof("NO", "ONE")
        connection.script_flush()
        assert web.webhook("job.assigned", market.job()).status == 202


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
