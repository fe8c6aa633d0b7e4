"""The check of a Space's paths: only those that stay below a folder become files."""

import re
import unicodedata
from collections.abc import Iterable

_MAX_PATH_BYTES = 1024
_MAX_SEGMENT_BYTES = 255
_MAX_DEPTH = 32
_DRIVE = re.compile(r"[A-Za-z]:")
# Of control, format (bidirectional, zero-width), surrogate, private and unassigned characters, and
# line and paragraph separators: none of them can be seen in a name.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters of other categories that are not shown either (Default_Ignorable_Code_Point).
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class PathError(ValueError):
    """A refused path; the message gives the reason and shows only what is safe of it."""


def inside(name: str, *, wallet: str, space_name: str) -> str:
    """Return the path in the Space of a file that is named `<wallet>/spaces/<space name>/<path>`.

    The space name is compared without case and Unicode form. A Space that was renamed keeps the
    folder it was made with, so any one other segment may stand there.

    Raises:
        PathError: Not of this form, another wallet's, or a path that `check` refuses.
    """
    segments = name.split("/")
    if len(segments) < len(("wallet", "spaces", "name", "file")) or segments[1] != "spaces":
        raise PathError("the name is not <wallet>/spaces/<space name>/<path>")
    if segments[0].lower() != wallet:
        raise PathError(f"the name does not begin with the owner's wallet {wallet}")
    # Unicode's normal forms take time that is quadratic in a segment's combining characters.
    if any(len(segment) > _MAX_SEGMENT_BYTES for segment in segments):
        raise PathError(f"a file's or folder's name may have {_MAX_SEGMENT_BYTES} bytes")
    expected = space_name.split("/")
    actual = segments[2 : 2 + len(expected)]
    same = [key(segment) for segment in actual] == [key(segment) for segment in expected]
    return check("/".join(segments[2 + len(expected) if same else 3 :]))


def check(path: str) -> str:
    """Return a relative path that is safe to create below a folder.

    Raises:
        PathError: Absolute, empty, too long or too deep; a segment that is empty, `.`, `..`, or
            has a backslash, a drive, invisible characters or spaces at an end; also when only its
            compatibility form (NFKC) is so.
    """
    encoded = path.encode("utf-8", "surrogatepass")
    segments = path.split("/")
    if len(encoded) > _MAX_PATH_BYTES or len(segments) > _MAX_DEPTH:
        raise PathError(f"a path may have {_MAX_PATH_BYTES} bytes and {_MAX_DEPTH} segments")
    if _DRIVE.match(path):
        raise PathError("a path must not begin with a drive")
    for segment in segments:
        _check_segment(segment)
        _check_segment(unicodedata.normalize("NFKC", segment))
    return path


def check_together(paths: Iterable[str]) -> None:
    """Check that the paths are different files on every file system.

    Raises:
        PathError: Two are one when case, Unicode form or invisible characters do not count, or a
            path is a file and also a folder.
    """
    files: dict[str, str] = {}
    for path in paths:
        own_key = key(path)
        if (other := files.get(own_key)) is not None:
            raise PathError(f"{other!a} and {path!a} are the same file on some systems")
        files[own_key] = path
    for own_key, path in files.items():
        for end in (position for position, letter in enumerate(own_key) if letter == "/"):
            if (folder := files.get(own_key[:end])) is not None:
                raise PathError(f"{folder!a} is a file and also the folder of {path!a}")


def key(path: str) -> str:
    """Return a key (NFKC_Casefold) that is equal for paths that a file system may take for one."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
    return _IGNORABLE.sub("", folded)


def _check_segment(segment: str) -> None:
    if segment in {"", ".", ".."}:
        raise PathError("a path must be relative, without empty segments, '.' and '..'")
    if "/" in segment or "\\" in segment:
        raise PathError("a path must not have backslashes or letters that look like '/'")
    if segment != segment.strip():
        raise PathError("a file's or folder's name must not begin or end with a space")
    if any(unicodedata.category(letter) in _INVISIBLE for letter in segment):
        raise PathError("a path must not have control or invisible characters")
    if len(segment.encode()) > _MAX_SEGMENT_BYTES:
        raise PathError(f"a file's or folder's name may have {_MAX_SEGMENT_BYTES} bytes")
