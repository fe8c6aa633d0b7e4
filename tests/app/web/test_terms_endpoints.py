"""The operator's terms as Lagrange reads them, over real HTTP."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.context import open_context
from tests.support import market
from tests.support.web_server import Web, serving

BASE = "/api/v1/computing/lagrange/cp"
WALLET = "0x" + "aB" * 20


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a provider with lists of wallets."""
    table = '[ADMISSION]\nWhiteList = "white.txt"\nPricing = true'
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=table))
    return tmp_path


@pytest.fixture
def choosy(folder: Path) -> Iterator[Web]:
    """That provider's process `web`."""
    context = open_context(str(folder))
    with serving(context) as web:
        yield web
    context.redis.close()


def test_lists_and_prices(choosy: Web, folder: Path) -> None:
    """The current lists and prices come in the envelope; a list that is not configured is empty."""
    (folder / "white.txt").write_text(f"{WALLET}  # ours\n")
    (folder / "price.toml").write_text('TARGET_CPU = "0.2"')
    answer = choosy.call("GET", f"{BASE}/whitelist")
    assert (answer.status, answer.json["status"]) == (200, "success")
    assert answer.json["data"] == [WALLET.lower()]
    assert choosy.call("GET", f"{BASE}/blacklist").json["data"] == []
    price = choosy.call("GET", f"{BASE}/price").json["data"]
    assert (price["cpu_price"], price["gpus_price"], price["pricing"]) == ("0.2", {}, True)


def test_an_unreadable_list_is_not_empty(choosy: Web, folder: Path) -> None:
    """The answer is 503, with a time to try again."""
    (folder / "price.toml").write_text("TARGET_CPU")
    for path in ("whitelist", "price"):
        answer = choosy.call("GET", f"{BASE}/{path}")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize("status", [200, 500])
def test_a_url_is_read_once_for_all_who_ask(tmp_path: Path, redis_url: str, status: int) -> None:
    """However many requests come at once, the operator's server gets one."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            time.sleep(0.5)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(WALLET.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    table = f'[ADMISSION]\nWhiteList = "http://127.0.0.1:{server.server_port}/list"'
    (tmp_path / "config.toml").write_text(market.configuration(redis_url, more=table))
    context = open_context(str(tmp_path))
    with serving(context) as web, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: web.call("GET", f"{BASE}/whitelist"), range(8)))
    server.shutdown()
    server.server_close()
    thread.join()
    context.redis.close()
    assert {answer.status for answer in answers} == {200 if status == 200 else 503}
    assert len(asked) <= 3, "each asks again"  # Of 5xx the fetch itself tries three times.
