"""Files on a real disk, with crashes at each step."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from app.config import atomic_files

STEPS = ("link", "fsync", "open")


class Crash(BaseException):
    """The process dies."""


def test_create(tmp_path: Path) -> None:
    """The first call creates the file, mode 0600 whatever the umask; the next leaves it alone."""
    path = tmp_path / "x"
    before = os.umask(0)
    try:
        assert atomic_files.create(path, b"first")
        assert not atomic_files.create(path, b"second")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [path]


def test_replace(tmp_path: Path) -> None:
    """The new file has the mode of the old one, which is kept as a private backup."""
    path, backup = tmp_path / "x", tmp_path / "x.old"
    path.write_bytes(b"old")
    path.chmod(0o640)
    atomic_files.replace(path, b"new", backup=backup)
    assert (path.read_bytes(), backup.read_bytes()) == (b"new", b"old")
    assert (path.stat().st_mode & 0o777, backup.stat().st_mode & 0o777) == (0o640, 0o600)
    assert sorted(tmp_path.iterdir()) == [path, backup]


def test_replace_twice_in_a_second(tmp_path: Path) -> None:
    """An existing backup is never lost: the second call replaces nothing."""
    path, backup = tmp_path / "x", tmp_path / "x.old"
    path.write_bytes(b"old")
    atomic_files.replace(path, b"new", backup=backup)
    with pytest.raises(FileExistsError):
        atomic_files.replace(path, b"newer", backup=backup)
    assert (path.read_bytes(), backup.read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", range(3))
def test_a_crash_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """A crash at any system call leaves the file whole: the old one or the new one."""
    path, backup = tmp_path / "x", tmp_path / "x.old"
    path.write_bytes(b"old")
    real, left = getattr(os, step), [number]

    def dying(*arguments: object, **options: object) -> object:
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, dying)
        with suppress(Crash):
            atomic_files.replace(path, b"new", backup=backup)
    content = path.read_bytes()
    assert content in {b"old", b"new"}
    assert content == b"old" or backup.read_bytes() == b"old"
