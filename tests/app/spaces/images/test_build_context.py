"""The context that builders see of a Space."""

import os
from pathlib import Path

import pytest

from app.errors import Permanent
from app.spaces.images import BuildContext, build_context

FILES = {"Dockerfile": "FROM a", "app/processes/web.py": "print()", "b": ""}
MANY = 1 << 20


def written(folder: Path, files: dict[str, str]) -> Path:
    """Write files as sources do: for nobody else."""
    for path, content in files.items():
        (folder / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / path).write_text(content)
        (folder / path).chmod(0o600)
    return folder


def described(folder: Path, files: dict[str, str], dockerfile: str = "Dockerfile") -> BuildContext:
    """Return the context of files that are written now."""
    return build_context.describe(written(folder, files), files, dockerfile, max_bytes=MANY)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    """The same files have the same digest wherever they are, in whatever order they come."""
    one = described(tmp_path / "one", FILES)
    other = described(tmp_path / "other", dict(reversed(FILES.items())))
    assert one.digest == other.digest
    assert len(one.digest) == 32


@pytest.mark.parametrize(
    ("change", "dockerfile"),
    [
        ({"b": "x"}, "Dockerfile"),
        ({"c": ""}, "Dockerfile"),
        ({"app/processes/web.py": "print() "}, "Dockerfile"),
        ({}, "b"),
    ],
)
def test_every_difference_counts(tmp_path: Path, change: dict[str, str], dockerfile: str) -> None:
    """Another content, another file, another Dockerfile: another digest."""
    one = described(tmp_path / "one", FILES)
    other = described(tmp_path / "other", FILES | change, dockerfile)
    assert one.digest != other.digest


def test_names_and_contents_do_not_run_together(tmp_path: Path) -> None:
    """A letter that moves from a file's content to its name makes a difference."""
    one = described(tmp_path / "one", {"Dockerfile": "", "ab": "c"})
    other = described(tmp_path / "other", {"Dockerfile": "", "a": "bc"})
    assert one.digest != other.digest


def test_only_the_folder_of_the_dockerfile(tmp_path: Path) -> None:
    """Files beside the folder of the Dockerfile are no part of the context."""
    files = {"sub/Dockerfile": "FROM a", "sub/x/y": "1", "other": "2"}
    one = described(tmp_path / "one", files, "sub/Dockerfile")
    other = described(tmp_path / "other", files | {"other": "3"}, "sub/Dockerfile")
    assert one.digest == other.digest
    assert (one.folder, one.dockerfile) == (tmp_path / "one" / "sub", "Dockerfile")


def test_every_user_of_the_image_can_read(tmp_path: Path) -> None:
    """The files get the mode that Docker gives where there are none, and the same digest."""
    folder = written(tmp_path, FILES)
    found = build_context.prepare(folder, FILES, "Dockerfile", max_bytes=MANY)
    assert found.digest == described(tmp_path / "again", FILES).digest
    assert {oct((folder / path).stat().st_mode & 0o777) for path in (*FILES, "app", "")} == {
        "0o755"
    }


def test_a_large_context_is_refused(tmp_path: Path) -> None:
    """The bytes of all files together are bounded."""
    written(tmp_path, FILES)
    size = sum(map(len, FILES.values()))
    build_context.describe(tmp_path, FILES, "Dockerfile", max_bytes=size)
    with pytest.raises(Permanent, match=f"more than {size - 1} bytes") as caught:
        build_context.prepare(tmp_path, FILES, "Dockerfile", max_bytes=size - 1)
    assert caught.value.category == "context_too_large"


@pytest.mark.parametrize("path", ["link", "folder/Dockerfile", "fifo"])
def test_links_are_not_followed(tmp_path: Path, path: str) -> None:
    """Neither a file nor a folder on the way may be a link, and nothing waits for a pipe."""
    written(tmp_path / "files", FILES)
    (tmp_path / "files" / "link").symlink_to("/etc/passwd")
    (tmp_path / "files" / "folder").symlink_to(tmp_path)
    (tmp_path / "Dockerfile").write_text("of others")
    os.mkfifo(tmp_path / "files" / "fifo")
    if path == "fifo":
        found = build_context.describe(tmp_path / "files", ["fifo"], "Dockerfile", max_bytes=MANY)
        assert found.digest
        return
    with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
        build_context.prepare(
            tmp_path / "files", ["Dockerfile", path], "Dockerfile", max_bytes=MANY
        )
