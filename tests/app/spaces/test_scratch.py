"""Tests of scratch folders: removed when their work ends, however it ends."""

import os
import signal
import time
from pathlib import Path

import pytest

from app.spaces import scratch


def aged(folder: Path) -> None:
    """Make a folder look old."""
    os.utime(folder, (0, 0))


def test_a_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    """Nobody else can read it, and nothing is left of it, not even after an error."""

    def work() -> None:
        with scratch.folder(tmp_path / "scratch", "space") as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "a" / "b").mkdir(parents=True)
            (folder / "a" / "b").chmod(0o500)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Age is no reason to take a folder from its holder."""
    with scratch.folder(tmp_path, "space") as folder:
        aged(folder)
        assert scratch.sweep(tmp_path, "space") == []
        assert folder.exists()


def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    """The next process that makes a folder sweeps it."""
    child = os.fork()
    if child == 0:
        with scratch.folder(tmp_path, "space") as folder:
            (folder / "file").touch()
            time.sleep(60)
    while not list(tmp_path.glob("space-*/file")):
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    [abandoned] = tmp_path.iterdir()
    assert scratch.sweep(tmp_path, "space") == [], "it may be about to be locked"
    aged(abandoned)
    with scratch.folder(tmp_path, "space") as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_others_are_left_alone(tmp_path: Path) -> None:
    """Only folders with this prefix are swept: no files, links or other folders."""
    (tmp_path / "other-1").mkdir()
    (tmp_path / "space-file").touch()
    (tmp_path / "space-link").symlink_to(tmp_path / "other-1")
    for path in tmp_path.iterdir():
        aged(path)
    assert scratch.sweep(tmp_path, "space") == []
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "other-1").exists()


def test_disk_usage(tmp_path: Path) -> None:
    """Blocks on disk count, once for each file; holes do not."""
    (tmp_path / "data").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "data", tmp_path / "again")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    used_bytes = scratch.DiskUsage(tmp_path).bytes()
    assert 100_000 <= used_bytes < 200_000


def test_measurements_are_rare(tmp_path: Path) -> None:
    """Between two measurements the earlier result is returned."""
    usage = scratch.DiskUsage(tmp_path)
    before = usage.bytes()
    (tmp_path / "data").write_bytes(b"x" * 100_000)
    assert usage.bytes() == before
