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
    """The first makes it, mode 0600 whatever the umask; the next leaves it as it is."""
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
    """The new content has the old one's mode, and the old one is private and aside."""
    path, aside = tmp_path / "x", tmp_path / "x.old"
    path.write_bytes(b"old")
    path.chmod(0o640)
    atomic_files.replace(path, b"new", backup=aside)
    assert (path.read_bytes(), aside.read_bytes()) == (b"new", b"old")
    assert (path.stat().st_mode & 0o777, aside.stat().st_mode & 0o777) == (0o640, 0o600)
    assert sorted(tmp_path.iterdir()) == [path, aside]


def test_replace_twice_in_a_second(tmp_path: Path) -> None:
    """What is aside already is never lost: the second replaces nothing."""
    path, aside = tmp_path / "x", tmp_path / "x.old"
    path.write_bytes(b"old")
    atomic_files.replace(path, b"new", backup=aside)
    with pytest.raises(FileExistsError):
        atomic_files.replace(path, b"newer", backup=aside)
    assert (path.read_bytes(), aside.read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", range(3))
def test_a_crash_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """Whichever system call is the last, the file is whole: the old one or the new one."""
    path, aside = tmp_path / "x", tmp_path / "x.old"
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
            atomic_files.replace(path, b"new", backup=aside)
    content = path.read_bytes()
    assert content in {b"old", b"new"}
    assert content == b"old" or aside.read_bytes() == b"old"
