"""A bounded parser for untrusted YAML: mappings, lists and scalars' text, nothing more resolved.

A scalar remains the text that its author wrote: `no`, `12:30`, `0o17`, `1.10` and `2024-01-01` mean
what the field that reads them expects, never what YAML 1.1 infers. Only a plain `null`, `~` or an
empty scalar is None. Aliases and merges count at their expanded size.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from app.spaces.ldl.diagnostics import (
    InvalidDeployment,
    Problem,
    child_path,
    quote,
)

MAX_BYTES = 1 << 20
MAX_TEXT_BYTES = 512 << 10
MAX_NODES = 20_000
MAX_DEPTH = 64
MAX_DIRECTIVES = 100

Value: TypeAlias = "dict[str, Value] | list[Value] | str | None"

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "timestamp"))
_COLLECTION_TAGS = frozenset({f"{_CORE}map", f"{_CORE}seq"})
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
# libyaml compares each %TAG with all before it.
_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])%")
_TAB_ONLY_LINE = re.compile(r"^ *\t[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _SizedValue:
    """A complete value, with its size after alias expansion."""

    value: Value
    nodes: int
    text_bytes: int


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still being read."""

    value: "dict[str, Value] | list[Value]"
    anchor: str | None
    nodes: int = 1
    text_bytes: int = 0
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)
    merged: "list[dict[str, Value]]" = field(default_factory=list)


def parse(document: bytes) -> Value:
    """The one YAML document in `document`.

    Raises:
        InvalidDeployment: It is not UTF-8, not YAML, several documents, or exceeds the limits on
            size, depth and expansion; the problem names its path, or line and column.
    """
    text = _decode(document)
    try:
        return _compose(text)
    except yaml.YAMLError as error:
        if not _TAB_ONLY_LINE.search(text):
            raise _syntax(error, text) from error
    # YAML allows empty lines that hold a tab; libyaml does not.
    try:
        return _compose(_TAB_ONLY_LINE.sub("", text))
    except yaml.YAMLError as error:
        raise _syntax(error, text) from error


def _decode(document: bytes) -> str:
    if len(document) > MAX_BYTES:
        raise _refused("document", f"is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = document.count(b"\n", 0, error.start) + 1
        raise _refused(f"line {line}", "is not UTF-8 text; save the file as UTF-8") from error
    if control := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, control.start()) + 1
        message = (
            f"contains a control character (U+{ord(control[0]):04X}), which YAML does not allow"
        )
        raise _refused(f"line {line}", message)
    if len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES:
        raise _refused("document", f"has more than {MAX_DIRECTIVES} lines that begin with `%`")
    return text


def _syntax(error: yaml.YAMLError, text: str) -> InvalidDeployment:
    if not isinstance(error, yaml.MarkedYAMLError):
        return _refused("document", f"is not valid YAML: {quote(str(error))[1:-1]}")
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "cannot be read"
    if mark is None:
        return _refused("document", f"is not valid YAML: {problem}")
    line = text.split("\n")[mark.line] if mark.line < text.count("\n") + 1 else ""
    hint = "; indent with spaces, not tabs" if "\t" in line[: mark.column + 1] else ""
    return _refused(f"line {mark.line + 1}, column {mark.column + 1}", f"{problem}{hint}")


def _compose(text: str) -> Value:
    builder = _Builder()
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        builder.feed(event)
    documents = [document for document in builder.documents if document is not None]
    if len(documents) > 1:
        raise _refused(
            "document", "contains several YAML documents; a deployment file is a single one"
        )
    return documents[0] if documents else None


class _Builder:
    """Builds values from libyaml's events, within limits on size, depth and expansion."""

    def __init__(self) -> None:
        self.documents: list[Value] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _SizedValue | None] = {}

    def feed(self, event: yaml.Event) -> None:
        """Continue with the next event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.CollectionStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                self._close(event)
            case yaml.DocumentEndEvent():
                self._anchors.clear()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        value: str | None = event.value
        plain = event.tag is None and event.implicit[0]
        if event.tag == f"{_CORE}null" or (plain and event.value in _NULLS):
            value = None
        elif event.tag not in _TEXT_TAGS | {None, "!"}:
            raise self._refused(
                event, f"has a tag {quote(event.tag or '')}, which is not supported"
            )
        if "\x00" in event.value:
            raise self._refused(event, "contains a NUL character")
        sized = _SizedValue(value, 1, len(event.value.encode()))
        if event.anchor is not None:
            self._anchors[event.anchor] = sized
        self._add(sized, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        if name not in self._anchors:
            raise self._refused(event, f"*{name} refers to an anchor that the file does not define")
        sized = self._anchors[name]
        if sized is None:
            raise self._refused(event, f"*{name} contains itself")
        self._add(sized, event)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag not in _COLLECTION_TAGS | {None, "!"}:
            raise self._refused(
                event, f"has a tag {quote(event.tag or '')}, which is not supported"
            )
        if len(self._stack) >= MAX_DEPTH:
            raise self._refused(event, f"is nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Frame({} if mapping else [], event.anchor))

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._stack.pop()
        if isinstance(frame.value, dict):
            for source in frame.merged:
                for key, value in source.items():
                    frame.value.setdefault(key, value)
        sized = _SizedValue(frame.value, frame.nodes, frame.text_bytes)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = sized
        self._add(sized, event)

    def _add(self, sized: _SizedValue, event: yaml.Event) -> None:
        if not self._stack:
            self.documents.append(sized.value)
            return
        frame = self._stack[-1]
        frame.nodes += sized.nodes
        frame.text_bytes += sized.text_bytes
        if sum(open_frame.nodes for open_frame in self._stack) > MAX_NODES:
            raise self._refused(event, f"expands the file to more than {MAX_NODES} values")
        if sum(open_frame.text_bytes for open_frame in self._stack) > MAX_TEXT_BYTES:
            raise self._refused(event, f"expands the file to more than {MAX_TEXT_BYTES >> 10} KiB")
        if isinstance(frame.value, list):
            frame.value.append(sized.value)
        elif frame.key is None:
            self._key(frame, sized.value, event)
        else:
            self._entry(frame, frame.value, sized.value, event)

    def _key(self, frame: _Frame, key: Value, event: yaml.Event) -> None:
        if not isinstance(key, str):
            raise self._refused(event, "has a key that is not a string")
        line = _line(event)
        if key in frame.lines:
            path = child_path(self._path(), key)
            raise _refused(path, f"appears twice, on line {frame.lines[key]} and on line {line}")
        frame.key = key
        frame.lines[key] = line

    def _entry(
        self, frame: _Frame, mapping: dict[str, Value], value: Value, event: yaml.Event
    ) -> None:
        key, frame.key = frame.key or "", None
        if key != "<<":
            mapping[key] = value
            return
        sources = value if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise self._refused(event, "`<<` merges mappings only")
            frame.merged.append(source)

    def _path(self) -> str:
        path = ""
        for frame in self._stack:
            if isinstance(frame.value, list):
                path += f"[{len(frame.value)}]"
            elif frame.key is not None:
                path = child_path(path, frame.key)
        return path

    def _refused(self, event: yaml.Event, message: str) -> InvalidDeployment:
        return _refused(self._path() or "document", f"{message} (line {_line(event)})")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _refused(path: str, message: str) -> InvalidDeployment:
    return InvalidDeployment(Problem(path, message))
