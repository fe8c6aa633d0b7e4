"""Logs over TLS: by the provider itself, and by nginx in front of it."""

import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.context import Context
from app.store.job_data import JobData
from app.tasks import transitions
from tests.support import market
from tests.support.certificates import secured
from tests.support.documents import ROOT
from tests.support.log_watcher import refused, watching
from tests.support.ports import free_port
from tests.support.waiting import eventually
from tests.support.watched_logs import Watchable
from tests.support.web_server import Web, serving

CONFIGURATION = ROOT / "docs" / "nginx.conf"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/provider.conf;
}}
"""
PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def accepted(context: Context) -> dict[str, Any]:
    """Write a task down; return its job."""
    data = market.job()
    change = transitions.accepted(
        JobData(uuid=data["uuid"], duration=900, job_source_uri=data["job_source_uri"]),
        host="x.cp.example.com",
        now=time.time(),
        start_timeout_seconds=3600,
    )
    context.store.commit(change)
    return data


def test_the_provider_itself(
    provider_folder: Path, redis_url: str, certificate: tuple[Path, Path]
) -> None:
    """With a certificate, logs are shown over TLS."""
    crt, key = certificate
    context = secured(provider_folder, redis_url, crt, key)
    trusting = ssl.create_default_context(cafile=str(crt))
    with serving(context) as web:
        task = Watchable(web, context, accepted(context))
        with watching(task.address().replace("ws:", "wss:"), tls=trusting) as watcher:
            for number in range(100):
                task.write(*(f"{number} {line} {'x' * 100}" for line in range(100)))
            assert len(watcher.until("99 99 ")) == 10_000
        eventually("nobody wants the log", lambda: not task.is_wanted())


@contextmanager
def nginx(program: str, folder: Path, port: int, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Run nginx with the configuration of the documentation; yield where it listens."""
    listens = free_port()
    text = CONFIGURATION.read_text()
    for shown, here in (
        ("127.0.0.1:8085", f"127.0.0.1:{port}"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{listens} ssl"),
        ("/etc/ssl/certs/provider.pem", str(certificate[0])),
        ("/etc/ssl/private/provider.key", str(certificate[1])),
    ):
        assert text.count(shown) == 1
        text = text.replace(shown, here)
    (folder / "provider.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            eventually("nginx answers", lambda: _answers(listens))
            yield listens
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_nginx_in_front(
    tmp_path: Path, web: Web, context: Context, certificate: tuple[Path, Path]
) -> None:
    """Through nginx, as the documentation has it: the same lines and pings, and the same end."""
    if PROGRAM is None:
        pytest.skip("needs nginx: apt-get install nginx")
    folder = tmp_path / "nginx"
    folder.mkdir()
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with nginx(PROGRAM, folder, web.port, certificate) as port:
        message = market.signed("job.assigned", market.job())
        request = urllib.request.Request(
            f"https://127.0.0.1:{port}/webhooks", message.body, message.headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=5, context=trusting) as answer:  # noqa: S310
            assert answer.status == 202
        task = Watchable(web, context)
        address = task.address().replace(f"ws://127.0.0.1:{web.port}", f"wss://127.0.0.1:{port}")
        with watching(address, tls=trusting) as watcher:
            for number in range(100):
                task.write(*(f"{number} {line} {'x' * 100}" for line in range(100)))
            assert len(watcher.until("99 99 ")) == 10_000
            watcher.pass_time(3.5)
            assert watcher.pings
        eventually("nobody wants the log", lambda: not task.is_wanted())
        with watching(address, tls=trusting) as watcher:
            task.write("last", over="the task is terminated")
            assert watcher.end() == (1000, "the task is terminated")
        assert refused(address + "x", tls=trusting) == (401, "unauthorized")
    assert "code=" not in (folder / "access.log").read_text()
