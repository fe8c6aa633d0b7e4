"""The Space that is shown."""

import subprocess
import sys
import time

from app.demo import configuration, http_get
from app.demo.scenario import space
from app.errors import Temporary


def test_the_space_counts_its_visitors(redis_url: str) -> None:
    """The API of the Space that is shown really counts, in a real Redis."""
    port = str(configuration._free_port())
    environment = {"PORT": port, "MEMORY": redis_url.removeprefix("redis://"), "GREETING": "<Hi>"}
    with subprocess.Popen(
        [sys.executable, space() / "api.py"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        for number in (1, 2):
            assert http_get.lines(_read(f"http://127.0.0.1:{port}/"))[1].endswith(
                f"number {number}."
            )
        assert b"&lt;Hi&gt;" in _read(f"http://127.0.0.1:{port}/")
        process.terminate()
        assert process.wait(20) == 0


def _read(url: str) -> bytes:
    deadline = time.monotonic() + 10
    while True:
        try:
            return http_get.get(url).body
        except Temporary:
            assert time.monotonic() < deadline
            time.sleep(0.05)
