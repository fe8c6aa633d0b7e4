"""White lists and black lists: files and URLs, and what happens when they cannot be read."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from app.admission import wallet_lists
from app.admission.wallet_lists import Lists, UnreadableList
from app.config import Admission
from app.errors import Permanent
from app.store import Store

ALICE = "0x" + "aB" * 20
BOB = "0x" + "c0" * 20


class Server(ThreadingHTTPServer):
    """Answers every request with the same, and counts them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body, self.asked = 200, b"", 0

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}/wallets"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of lists."""
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    """A memory."""
    with redis.Redis.from_url(redis_url) as connection:
        yield Store(connection)


def refusal(known: Lists, wallet: str) -> str:
    """Why this wallet is refused; empty: it is admitted."""
    try:
        asyncio.run(known.refuse_unwanted(wallet))
    except Permanent as error:
        return f"{error.category}: {error.message}"
    return ""


@pytest.mark.parametrize(
    "text",
    [
        f"{ALICE}\n{BOB}",
        f"# ours\n\n  {ALICE.lower()}  # Alice\r\n{BOB}\r\n",
        f"\ufeff{ALICE.upper().replace('X', 'x')}\n{BOB}\n{BOB}\nsomething else\n",
        f' ["{ALICE}", "{BOB.upper()}"]',
    ],
)
def test_lists_are_read_in_every_spelling(text: str) -> None:
    """Lines with comments, or a JSON array; case does not matter, nor does a line that is none."""
    assert wallet_lists.parse(text) == {ALICE.lower(), BOB}


@pytest.mark.parametrize("text", ["<html>404</html>", '["x"]', "[1]", "[", "0x12"])
def test_what_is_no_list(text: str) -> None:
    """An error page is not an empty list."""
    with pytest.raises(UnreadableList):
        wallet_lists.parse(text)


@given(st.text())
def test_any_text_is_a_list_or_not(text: str) -> None:
    """Nothing else happens."""
    with suppress(UnreadableList):
        assert all(len(wallet) == 42 for wallet in wallet_lists.parse(text))


def test_without_lists_everybody_comes_in(store: Store, tmp_path: Path) -> None:
    """That is the default."""
    assert not refusal(Lists(Admission(), tmp_path, store), ALICE)


def test_files_of_the_providers_folder(store: Store, tmp_path: Path) -> None:
    """Read anew each time, whatever the case of the wallet."""
    known = Lists(Admission(white_list="white.txt", black_list="black.txt"), tmp_path, store)
    (tmp_path / "white.txt").write_text(f"{ALICE}\n{BOB}\n")
    (tmp_path / "black.txt").write_text("")
    assert not refusal(known, ALICE.upper().replace("X", "x"))
    assert "not_admitted: wallet 0x" in refusal(known, "0x" + "1" * 40)
    assert "is not on this provider's white list" in refusal(known, "0x" + "1" * 40)
    (tmp_path / "black.txt").write_text(BOB.upper())
    assert "is on this provider's black list" in refusal(known, BOB)
    assert not refusal(known, ALICE)


def test_a_url_is_asked_once_in_a_while(server: Server, store: Store, tmp_path: Path) -> None:
    """For all processes; after its time it is asked again."""
    server.body = ALICE.encode()
    for seconds, asked in ((300, 1), (300, 1), (1, 2)):
        if seconds == 1:
            time.sleep(1.1)
        known = Lists(Admission(white_list=server.url, lists_kept_seconds=seconds), tmp_path, store)
        assert not refusal(known, ALICE)
        assert server.asked == asked


@pytest.mark.parametrize("fault", ["missing", "status", "page", "large"])
def test_a_white_list_that_cannot_be_read_lets_nobody_in(
    server: Server, store: Store, tmp_path: Path, fault: str
) -> None:
    """Neither those who were on it, once what was known is too old, nor anybody else."""
    server.body = ALICE.encode()
    table = Admission(white_list=server.url, lists_kept_seconds=1)
    assert not refusal(Lists(table, tmp_path, store), ALICE)
    time.sleep(1.1)
    if fault == "missing":
        table = msgspec.structs.replace(table, white_list="nowhere.txt")
    server.status = 404 if fault == "status" else 200
    server.body = {"page": b"<html>", "large": b"#" * (wallet_lists.MAX_BYTES + 1)}.get(fault, b"")
    assert "lets nobody in" in refusal(Lists(table, tmp_path, store), ALICE)


def test_a_black_list_that_cannot_be_read_stays_as_it_was(
    server: Server, store: Store, tmp_path: Path
) -> None:
    """A wallet that was on it stays out; a list that was never read keeps nobody out."""
    table = Admission(black_list=server.url, lists_kept_seconds=1)
    server.status = 404
    assert not refusal(Lists(table, tmp_path, store), BOB)
    server.status, server.body = 200, BOB.encode()
    assert refusal(Lists(table, tmp_path, store), BOB)
    time.sleep(1.1)
    server.status = 404
    assert refusal(Lists(table, tmp_path, store), BOB)
    assert not refusal(Lists(table, tmp_path, store), ALICE)
