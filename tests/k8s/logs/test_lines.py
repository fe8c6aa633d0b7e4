"""Log lines: splitting, filtering and positions."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.logs import NOWHERE, Filter, LogPosition
from k8s.logs.lines import MAX_LINE_BYTES, LineSplitter

STAMPS = [
    "2026-11-22T10:00:00.000000001Z",
    "2026-11-22T10:00:00.000000002Z",
    "2026-11-22T10:00:00.1Z",
    "2026-11-22T11:00:01+01:00",
    "2026-11-22T10:00:01.5Z",
]
SECRET = Filter(lambda part: part.replace(b"hunter2", b"***"), 7)


def read(
    parts: list[bytes], position: LogPosition = NOWHERE, filter_: Filter | None = None
) -> list[bytes]:
    """Return the lines of a complete log that arrives in these parts."""
    lines = LineSplitter("web", position, filter_ or Filter())
    return split(b"".join(lines.feed(part) for part in parts) + lines.end())


def split(block: bytes) -> list[bytes]:
    """Return lines without their line ends; each must have one."""
    *lines, rest = block.split(b"\n")
    assert rest == b""
    return lines


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at these offsets."""
    edges = [0, *sorted(place % (len(whole) + 1) for place in cuts), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(edges)]


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), max_size=6),
    cuts=st.lists(st.integers(0, 500), max_size=8),
)
def test_any_parts_are_the_same_lines(texts: list[str], cuts: list[int]) -> None:
    """A log has the same lines however its bytes are cut in transit."""
    whole = "".join(f"{STAMPS[0]} {text}\n" for text in texts).encode()
    expected = [f"{STAMPS[0]} [web] {text}".encode() for text in texts]
    assert read(cut(whole, cuts)) == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_become_utf8_lines(whole: bytes, cuts: list[int]) -> None:
    """Lines are valid UTF-8 without line ends whatever a container writes."""
    for line in read(cut(whole, cuts)):
        assert b"\n" not in line
        line.decode()


def test_a_long_line_becomes_several() -> None:
    """A line of any length arrives in pieces of bounded size, no character cut in two."""
    text = "é" * 100_000 + "!"
    whole = f"{STAMPS[0]} {text}\n{STAMPS[1]} next\n".encode()
    for size in (len(whole), 7001):
        parts = [whole[start : start + size] for start in range(0, len(whole), size)]
        *pieces, last = read(parts)
        head = f"{STAMPS[0]} [web] "
        assert all(piece.decode().startswith(head) for piece in pieces)
        assert "".join(piece.decode().removeprefix(head) for piece in pieces) == text
        assert max(map(len, pieces)) <= MAX_LINE_BYTES + len(head) + 7001
        assert last == f"{STAMPS[1]} [web] next".encode()


def test_memory_is_bounded_by_no_line_end() -> None:
    """Little of a line that never ends is kept in memory."""
    lines = LineSplitter("web", NOWHERE, SECRET)
    lines.feed(STAMPS[0].encode() + b" ")
    for _ in range(100):
        lines.feed(b"x" * 10_000)
        assert len(lines._rest) < MAX_LINE_BYTES + 10_100


@given(st.integers(0, MAX_LINE_BYTES * 2 + 50), st.integers(1, 5000))
def test_a_secret_is_found_wherever_a_line_is_cut(at: int, size: int) -> None:
    """A secret in a line that arrives in pieces passes neither whole nor in part."""
    text = b"x" * at + b"hunter2" + b"y" * (MAX_LINE_BYTES + 20)
    whole = STAMPS[0].encode() + b" " + text + b"\n"
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    text_read = b"".join(line.partition(b"] ")[2] for line in read(parts, filter_=SECRET))
    assert text_read == text.replace(b"hunter2", b"***")


@pytest.mark.parametrize("count", range(len(STAMPS) + 1))
def test_what_was_read_is_not_told_again(count: int) -> None:
    """A log sent again from its beginning resumes at the position reached, wherever that is."""
    whole = [f"{stamp} {number}\n".encode() for number, stamp in enumerate(STAMPS)]
    first = LineSplitter("web", NOWHERE, Filter())
    read_lines = split(b"".join(first.feed(part) for part in whole[:count]))
    read_lines += read(whole, first.position)
    assert [line.split()[-1] for line in read_lines] == [b"0", b"1", b"2", b"3", b"4"]


def test_lines_of_one_moment_are_counted() -> None:
    """Several lines with one time stamp each arrive once, and a later one too."""
    whole = [f"{STAMPS[0]} {number}\n".encode() for number in range(5)]
    first = LineSplitter("web", NOWHERE, Filter())
    read_lines = split(first.feed(whole[0]) + first.feed(b"".join(whole[1:3])))
    assert first.position == LogPosition(STAMPS[0], 3)
    second = LineSplitter("web", first.position, Filter())
    read_lines += split(second.feed(b"".join(whole)))
    assert [line.split()[-1] for line in read_lines] == [b"0", b"1", b"2", b"3", b"4"]
    assert second.position == LogPosition(STAMPS[0], 5)


def test_what_has_no_time_stamp_gets_one() -> None:
    """The kubelet's own messages, which have none, arrive as well."""
    (line,) = read([b"unable to retrieve container logs\n"])
    assert re.fullmatch(rb"20\S+Z \[web\] unable to retrieve container logs", line)
