"""Signs of life: given while a process goes on, and missing when a part of it broke."""

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.context import Context, open_context
from app.processes import watcher, worker
from app.processes.heartbeat_file import HeartbeatFile
from tests.support import market
from tests.support.ports import free_port


def test_a_beat_is_the_time_of_a_file(tmp_path: Path) -> None:
    """The file is made by the first beat and renewed by each; without a file nothing happens."""
    file = tmp_path / "alive"
    heartbeat = HeartbeatFile(file)
    heartbeat.touch()
    first = file.stat().st_mtime_ns
    time.sleep(0.02)
    heartbeat.touch()
    assert file.stat().st_mtime_ns > first
    HeartbeatFile().touch()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A provider whose Redis is away."""
    (tmp_path / "config.toml").write_text(market.configuration(f"redis://127.0.0.1:{free_port()}"))
    return open_context(str(tmp_path))


def test_a_worker_that_waits_for_redis_is_alive(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To start it again would help nobody."""
    file = tmp_path / "alive"

    def sleep(_: float) -> None:
        """Let it wait once more for each beat that is taken away, and break it off then."""
        file.unlink()
        if next(left):
            raise InterruptedError

    left = iter((False, True))
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=sleep))
    with pytest.raises(InterruptedError):
        worker._wait_for_redis(context, HeartbeatFile(file))


async def test_a_watcher_ends_with_any_part_of_it() -> None:
    """A thread that broke takes the process with it, which is started again then."""
    goes_on = threading.Event()
    parts = [
        threading.Thread(target=goes_on.wait, daemon=True),
        threading.Thread(target=time.sleep, args=(0,)),
    ]
    for part in parts:
        part.start()
    parts[1].join()
    stopping = asyncio.Event()
    assert not await watcher._supervise(parts, stopping)
    assert stopping.is_set()
    goes_on.set()


async def test_a_watcher_that_is_told_to_end_is_well() -> None:
    """An orderly end is no failure."""
    stopping = asyncio.Event()
    stopping.set()
    assert await watcher._supervise([], stopping)
