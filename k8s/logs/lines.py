"""Log lines: the bytes of a container's log split into lines, bounded, filtered, none twice."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

MAX_LINE_BYTES = 16 << 10
PROVIDER = "provider"

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_NANOSECOND_DIGITS = 9
_LONGEST_CHARACTER = 4


class LogPosition(msgspec.Struct, frozen=True, array_like=True):
    """The position up to which a log has been read.

    Attributes:
        stamp: The time stamp of the last line; empty: nothing has been read.
        number: The number of lines with this stamp that have been read.
    """

    stamp: str = ""
    number: int = 0


NOWHERE = LogPosition()


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter for the bytes of a log before anybody sees them.

    Attributes:
        apply: Returns the bytes that may be shown.
        reach: The length of the longest match in bytes; where a line has to be cut, that many are
            held back until the following bytes are known.
    """

    apply: Callable[[bytes], bytes] = bytes
    reach: int = 0


class LineSplitter:
    """Splits bytes into lines as they arrive, line ends kept; not thread-safe.

    Args:
        label: The label between a line's time stamp and its text.
        position: The position of earlier reading; lines up to it are left out.
        filter_: The filter for the bytes.
    """

    def __init__(self, label: str, position: LogPosition, filter_: Filter) -> None:
        self.position = position
        self._label = f" [{label}] ".encode()
        self._filter = filter_
        self._old = _order(position.stamp) if position.stamp else None
        self._old_left = position.number
        self._rest = b""
        self._prefix = b""  # Of the unfinished line; empty: that line was read before.
        self._inside = False

    def feed(self, part: bytes) -> bytes:
        """Return the lines that `part` completes, and the beginning of one that is too long."""
        block, newline, self._rest = (self._rest + part).rpartition(b"\n")
        lines: list[bytes] = []
        if newline:
            lines += [self._line(line, ended=True) for line in self._filtered(block).split(b"\n")]
        held = max(_LONGEST_CHARACTER, self._filter.reach)
        if len(self._rest) > MAX_LINE_BYTES + held:
            filtered = self._filter.apply(self._rest)
            cut = _boundary(filtered, len(filtered) - held)
            self._rest = filtered[cut:]
            lines.append(self._line(_valid(filtered[:cut]), ended=False))
        return b"".join(lines)

    def end(self) -> bytes:
        """Return the rest of the log as its last line."""
        rest, self._rest = self._rest, b""
        return self._line(self._filtered(rest), ended=True) if rest else b""

    def _filtered(self, block: bytes) -> bytes:
        return _valid(self._filter.apply(block))

    def _line(self, line: bytes, *, ended: bool) -> bytes:
        """Format a line, or its next part, in pieces of bounded size."""
        text = line if self._inside else self._begin(line)
        self._inside = not ended
        if not self._prefix:
            return b""
        return b"".join([self._prefix + piece + b"\n" for piece in _pieces(text)])

    def _begin(self, line: bytes) -> bytes:
        """Strip a line's time stamp, which the kubelet's own messages lack; return its text."""
        stamp, _, text = line.partition(b" ")
        if not _is_stamp(stamp):
            self._prefix = _now().encode() + self._label
            return line
        self._prefix = b"" if self._is_old(stamp.decode()) else stamp + self._label
        return text

    def _is_old(self, stamp: str) -> bool:
        """Return whether a line was read before; advance the position if not."""
        if self._old is not None:
            order = _order(stamp)
            if order < self._old:
                return True
            if order == self._old and self._old_left:
                self._old_left -= 1
                return True
            self._old = None
        number = self.position.number + 1 if stamp == self.position.stamp else 1
        self.position = LogPosition(stamp, number)
        return False


def remark(text: str) -> bytes:
    """Return a line of the provider's own between those of containers."""
    return f"{_now()} [{PROVIDER}] {text}\n".encode(errors="replace")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_stamp(word: bytes) -> bool:
    return word[4:5] == b"-" and word[10:11] == b"T" and _STAMP.fullmatch(word) is not None


def _order(stamp: str) -> tuple[float, int]:
    """Return a sort key for a time stamp, exact to the nanosecond, whatever its zone."""
    match = _STAMP.fullmatch(stamp.encode())
    seconds, fraction, zone = match.groups() if match else (b"", b"", b"")
    try:
        moment = datetime.fromisoformat((seconds + zone).decode()).timestamp()
    except ValueError:
        return 0.0, 0
    return moment, int((fraction or b"").ljust(_NANOSECOND_DIGITS, b"0"))


def _valid(block: bytes) -> bytes:
    """Replace bytes that are not UTF-8, which the consumers of a log require."""
    return block if block.isascii() else block.decode(errors="replace").encode()


def _pieces(text: bytes) -> Iterator[bytes]:
    start = 0
    while len(text) - start > MAX_LINE_BYTES:
        end = _boundary(text, start + MAX_LINE_BYTES)
        yield text[start:end]
        start = end
    yield text[start:]


def _boundary(text: bytes, end: int) -> int:
    """Return the last index up to `end` that cuts no character in two."""
    for back in range(_LONGEST_CHARACTER):
        if text[end - back] & 0xC0 != 0x80:  # noqa: PLR2004 - UTF-8.
            return end - back
    return end
