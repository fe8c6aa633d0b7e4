"""The bytes of a container's log as lines: bounded, filtered, each of them once."""

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
    """How far a log has been read.

    Attributes:
        stamp: The time stamp of the last line; empty: nothing has been read.
        number: How many lines with this stamp have been read.
    """

    stamp: str = ""
    number: int = 0


NOWHERE = LogPosition()


@dataclass(frozen=True, slots=True)
class Filter:
    """What is done to the bytes of a log before anybody sees them.

    Attributes:
        apply: Returns the bytes as they may be seen.
        reach: How many bytes the longest match has; where a line has to be cut, that many are
            held back until it is known what follows them.
    """

    apply: Callable[[bytes], bytes] = bytes
    reach: int = 0


class LineSplitter:
    """Lines out of bytes as they come, each with its end; not for several threads.

    Args:
        label: What stands between a line's time stamp and its text.
        place: How far the log has been read before; what was read is left out.
        filter_: What is done to the bytes.
    """

    def __init__(self, label: str, place: LogPosition, filter_: Filter) -> None:
        self.place = place
        self._label = f" [{label}] ".encode()
        self._filter = filter_
        self._old = _order(place.stamp) if place.stamp else None
        self._old_left = place.number
        self._rest = b""
        self._prefix = b""  # Of the line that goes on; empty: it is one that was read before.
        self._inside = False

    def feed(self, part: bytes) -> bytes:
        """Return the lines that `part` completes; of a line that is too long what there is."""
        whole, newline, self._rest = (self._rest + part).rpartition(b"\n")
        found: list[bytes] = []
        if newline:
            found += [self._line(line, ended=True) for line in self._seen(whole).split(b"\n")]
        held = max(_LONGEST_CHARACTER, self._filter.reach)
        if len(self._rest) > MAX_LINE_BYTES + held:
            seen = self._filter.apply(self._rest)
            cut = _boundary(seen, len(seen) - held)
            self._rest = seen[cut:]
            found.append(self._line(_valid(seen[:cut]), ended=False))
        return b"".join(found)

    def end(self) -> bytes:
        """Return what is left when nothing follows."""
        rest, self._rest = self._rest, b""
        return self._line(self._seen(rest), ended=True) if rest else b""

    def _seen(self, block: bytes) -> bytes:
        return _valid(self._filter.apply(block))

    def _line(self, line: bytes, *, ended: bool) -> bytes:
        """The line, or what there is of it, in pieces of a size that can be borne."""
        text = line if self._inside else self._begin(line)
        self._inside = not ended
        if not self._prefix:
            return b""
        return b"".join([self._prefix + piece + b"\n" for piece in _pieces(text)])

    def _begin(self, line: bytes) -> bytes:
        """Take in a line's time stamp, which what the kubelet says of its own has not; its text."""
        stamp, _, text = line.partition(b" ")
        if not _is_stamp(stamp):
            self._prefix = _now().encode() + self._label
            return line
        self._prefix = b"" if self._is_old(stamp.decode()) else stamp + self._label
        return text

    def _is_old(self, stamp: str) -> bool:
        """Whether a line was read before; if not, it is read now."""
        if self._old is not None:
            order = _order(stamp)
            if order < self._old:
                return True
            if order == self._old and self._old_left:
                self._old_left -= 1
                return True
            self._old = None
        number = self.place.number + 1 if stamp == self.place.stamp else 1
        self.place = LogPosition(stamp, number)
        return False


def remark(text: str) -> bytes:
    """Return a line of ours between those of containers."""
    return f"{_now()} [{PROVIDER}] {text}\n".encode(errors="replace")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_stamp(word: bytes) -> bool:
    return word[4:5] == b"-" and word[10:11] == b"T" and _STAMP.fullmatch(word) is not None


def _order(stamp: str) -> tuple[float, int]:
    """What compares as the moments do, to the nanosecond, whatever their zones."""
    match = _STAMP.fullmatch(stamp.encode())
    seconds, fraction, zone = match.groups() if match else (b"", b"", b"")
    try:
        moment = datetime.fromisoformat((seconds + zone).decode()).timestamp()
    except ValueError:
        return 0.0, 0
    return moment, int((fraction or b"").ljust(_NANOSECOND_DIGITS, b"0"))


def _valid(block: bytes) -> bytes:
    """As UTF-8, which all of it has to be where it is shown."""
    return block if block.isascii() else block.decode(errors="replace").encode()


def _pieces(text: bytes) -> Iterator[bytes]:
    start = 0
    while len(text) - start > MAX_LINE_BYTES:
        end = _boundary(text, start + MAX_LINE_BYTES)
        yield text[start:end]
        start = end
    yield text[start:]


def _boundary(text: bytes, end: int) -> int:
    """The last place up to `end` at which no character is cut in two."""
    for back in range(_LONGEST_CHARACTER):
        if text[end - back] & 0xC0 != 0x80:  # noqa: PLR2004 - UTF-8.
            return end - back
    return end
