"""The check of a Space's paths."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spaces.source import file_paths
from app.spaces.source.file_paths import PathError

WALLET = "0x" + "ab" * 20
HOSTILE = st.lists(
    st.sampled_from(
        [
            "a",
            "A",
            "..",
            ".",
            "",
            "/",
            "\\",
            "\x00",
            "\u2024",
            "\uff0f",
            "\u202e",
            "\u200b",
            "C:",
            "é",
            "e\u0301",
            " ",
            "\ufe0f",
            "\U0001f600",
            "\ud800",
            "\n",
        ]
    )
    | st.text(max_size=3),
    max_size=8,
)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "a\\b",
        "..\\x",
        "C:/x",
        "c:x",
        "a\x00b",
        "a\nb",
        "a\x7f",
        "a\u202eb",
        "a\u200bb",
        "\ufeffa",
        "a\u2028b",
        "\ud800",
        "\u2024\u2024/x",
        "\u2025/x",
        "a\uff0fb",
        "a\uff3cb",
        "℀",
        " a",
        "a /b",
        "\u00a0a",
        "a" * 256,
        "é" * 128,
        "/".join(["a"] * 33),
        "/".join(["a" * 200] * 6),
    ],
)
def test_refused(path: str) -> None:
    """A path that could leave the folder, or that does not look like what it is, is refused."""
    with pytest.raises(PathError):
        file_paths.check(path)


@pytest.mark.parametrize(
    "path",
    [
        "deploy.yaml",
        "a/b/c.txt",
        ".env",
        ".git/config",
        "a b.txt",
        "...",
        "日本語/ä.md",
        "é" * 127,
        "ab:c",
        "~/x",
        "-rf",
        "❤\ufe0f.png",
        "$(id)",
        "/".join(["a"] * 32),
    ],
)
def test_accepted(path: str) -> None:
    """A plain relative path is accepted as it is."""
    assert file_paths.check(path) == path


@given(HOSTILE.map("".join) | HOSTILE.map("/".join))
def test_what_is_accepted_stays_inside(path: str) -> None:
    """An accepted path lies below the folder, by our reading and by its compatibility form."""
    try:
        file_paths.check(path)
    except PathError:
        return
    for form in (path, unicodedata.normalize("NFKC", path)):
        place = Path("/jail", form)
        assert place.is_relative_to("/jail")
        assert ".." not in place.parts
        assert place.as_posix() == f"/jail/{form}"
        assert not set(form) & {"\x00", "\\", "\n", "\u202e", "\u200b"}


@pytest.mark.parametrize(
    "together",
    [
        ("a", "a"),
        ("README.md", "readme.md"),
        ("é", "e\u0301"),
        ("ﬁle", "file"),
        ("ẞ", "ss"),
        ("a\ufe0f", "a"),
        ("Å", "\u212b"),
        ("a", "a/b"),
        ("A", "a/b/c"),
        ("x/y/z", "X/Y"),
    ],
)
def test_collisions(together: tuple[str, ...]) -> None:
    """Files that are one on some file system, or a file and a folder at once, are refused."""
    with pytest.raises(PathError):
        file_paths.check_together(together)
    with pytest.raises(PathError):
        file_paths.check_together(reversed(together))


def test_no_collisions() -> None:
    """Different files in the same folders are accepted."""
    file_paths.check_together(["a", "b", "ab/c", "ab/d", "AB/e", "a.b"])


@given(st.lists(st.sampled_from("aAbB/éE"), max_size=8).map("".join))
def test_keys_are_stable(path: str) -> None:
    """A key is its own key, and no form of a path changes it."""
    own = file_paths.key(path)
    assert file_paths.key(own) == own
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert file_paths.key(unicodedata.normalize(form, path)) == own
    assert file_paths.key(path.upper()) == file_paths.key(path.lower())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (f"{WALLET}/spaces/My Space/deploy.yaml", "deploy.yaml"),
        (f"0x{'AB' * 20}/spaces/my space/src/a.py", "src/a.py"),
        (f"{WALLET}/spaces/renamed-since/src/a.py", "src/a.py"),
    ],
)
def test_inside(name: str, path: str) -> None:
    """The prefix is taken off, whatever its case, and when the Space was renamed."""
    assert file_paths.inside(name, wallet=WALLET, space_name="My Space") == path


def test_a_space_name_with_slashes() -> None:
    """A Space's name may have slashes itself."""
    name = f"{WALLET}/spaces/a/b/deploy.yaml"
    assert file_paths.inside(name, wallet=WALLET, space_name="a/b") == "deploy.yaml"


@pytest.mark.parametrize(
    "name",
    [
        "deploy.yaml",
        f"{WALLET}/spaces/My Space",
        f"{WALLET}/spaces/My Space/",
        f"{WALLET}/other/My Space/deploy.yaml",
        f"0x{'cd' * 20}/spaces/My Space/deploy.yaml",
        f"/{WALLET}/spaces/My Space/deploy.yaml",
        f"{WALLET}/spaces/My Space/../../x",
        f"{WALLET}/spaces/../deploy.yaml/..",
        f"{WALLET}/spaces/My Space//etc/passwd",
    ],
)
def test_not_inside(name: str) -> None:
    """A name of another form, of another wallet, or that leads out is refused."""
    with pytest.raises(PathError):
        file_paths.inside(name, wallet=WALLET, space_name="My Space")
