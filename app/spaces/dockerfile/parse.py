"""Parser for the stages of a Dockerfile, and for the port that the last stage exposes."""

import re
from collections import ChainMap
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile

import msgspec

from app.spaces.dockerfile import instructions, variables
from app.spaces.dockerfile.instructions import Instruction
from app.spaces.dockerfile.variables import Malformed

MAX_BYTES = 1 << 20
DEFAULT_PORT = 80
SCRATCH = "scratch"
_MAX_PORT = 65535
_MAX_WARNINGS = 20
_MAX_VARIABLES = 1000
_MAX_NAMED_STAGES = 100
_MAX_EXPOSED = 1000
_MAX_URLS = 100
MAX_IMAGES = 100
_MAX_CHARACTERS = 80
_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})(?:-[0-9]{1,5})?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_FROM_FLAG = re.compile(r"(?:^--|[=,])from=([^,]+)", re.IGNORECASE)
_URL = re.compile(r"(?:https?|git|ssh|ftp)://|git@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """Port, warnings, URLs and images of a Dockerfile.

    Attributes:
        port: The TCP port that gets the host name, 1 to 65535.
        warnings: Sentences for its author.
        urls: URLs that `ADD` would fetch, as far as they follow from the file alone.
        images: Images that `FROM`, `COPY --from` and `RUN --mount` would fetch, as far as they do;
            `MAX_IMAGES` of them: there may be more.
    """

    port: int = DEFAULT_PORT
    warnings: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    images: tuple["ImageUse", ...] = ()


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image that a line of a Dockerfile fetches."""

    line: int
    image: str


def read(content: bytes) -> Dockerfile:
    """Parse a Dockerfile; only its first MiB is read.

    The port is the first TCP port that the last stage exposes, else the stage that it is built
    from, and so on; else 80, with a warning.
    """
    text = decode(content)
    parser = _Parser(instructions.escape(text))
    for instruction in instructions.split(text, parser.escape):
        parser.evaluate(instruction)
    port = parser.port()
    return Dockerfile(port, tuple(parser.warnings), tuple(parser.urls), tuple(parser.images))


def decode(content: bytes) -> str:
    """Return the text of a Dockerfile; only its first MiB is read."""
    return content[:MAX_BYTES].decode("utf-8-sig", "replace").replace("\0", "")


@dataclass(slots=True)
class _Stage:
    """A build stage: its variables by name, its exposed ports, and those of what it is built from.

    A stage does not hold its base: of a thousand stages in a row, the last one alone is kept.
    """

    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    exposed_ports: list[str] = field(default_factory=list)
    base_ports: list[str] = field(default_factory=list)

    @property
    def ports(self) -> list[str]:
        return self.exposed_ports or self.base_ports

    @property
    def variables(self) -> Mapping[str, str]:
        return ChainMap(self.environment, self.arguments)


class _Parser:
    """The state of a Dockerfile being parsed: global arguments, and the stages so far."""

    def __init__(self, escape: str) -> None:
        self.escape = escape
        self.warnings: list[str] = []
        self.urls: dict[str, None] = {}
        self.images: dict[ImageUse, None] = {}
        self._top = _Stage()
        self._stage: _Stage | None = None
        self._by_name: dict[str, _Stage] = {}

    def evaluate(self, instruction: Instruction) -> None:
        """Apply one instruction; one that cannot be evaluated has no effect."""
        stage = self._stage
        keyword, arguments = instruction.keyword, instruction.arguments
        if keyword == "FROM":
            self._begin_stage(arguments, instruction.line)
        elif keyword == "ARG":
            self._set_arguments(stage or self._top, arguments)
        elif stage and keyword == "ENV":
            self._set_environment(stage, arguments)
        elif stage and keyword == "EXPOSE":
            self._expose(stage, arguments)
        elif stage and keyword == "ADD":
            self._add_urls(stage, arguments)
        elif stage and keyword in {"COPY", "RUN"}:
            self._add_flag_images(instruction)

    def port(self) -> int:
        """Return the exposed port, or the default with a warning."""
        for port in self._stage.ports if self._stage else ():
            if number := self._port_number(port):
                return number
        self.warnings.append(
            f"the Dockerfile exposes no TCP port (`EXPOSE 8080`);"
            f" the service must listen on port {DEFAULT_PORT}"
        )
        return DEFAULT_PORT

    def _warn(self, sentence: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS and sentence not in self.warnings:
            self.warnings.append(sentence)

    def _begin_stage(self, arguments: str, line: int) -> None:
        """Begin a stage; it inherits from the stage that it is built from."""
        self._stage = _Stage()
        words = [word for word in self._words(arguments) if not word.startswith("--")]
        image = self._value(words[0], self._top.arguments) if words else None
        if base := self._by_name.get((image or "").lower()):
            self._stage = _Stage(
                dict(base.arguments), dict(base.environment), base_ports=base.ports
            )
        elif image and image.lower() != SCRATCH:
            self._add_image(line, image)
        if len(words) > 2 and words[1].lower() == "as":  # noqa: PLR2004 - image, AS, name.
            name = words[2].lower()
            if name in self._by_name or len(self._by_name) < _MAX_NAMED_STAGES:
                self._by_name[name] = self._stage

    def _set_arguments(self, stage: _Stage, arguments: str) -> None:
        for word in self._words(arguments):
            name, assigned, text = word.partition("=")
            if assigned:
                _assign(stage.arguments, name, self._value(text, stage.variables))
            elif name in self._top.arguments:
                _assign(stage.arguments, name, self._top.arguments[name])

    def _set_environment(self, stage: _Stage, arguments: str) -> None:
        words = self._words(arguments)
        if words and "=" not in words[0]:
            name, *texts = arguments.split(maxsplit=1)
            pairs = [(name, texts[0] if texts else "")]
        else:
            pairs = [(name, text) for name, _, text in (word.partition("=") for word in words)]
        values = [(name, self._value(text, stage.variables)) for name, text in pairs]
        for name, value in values:
            _assign(stage.environment, name, value)

    def _add_urls(self, stage: _Stage, arguments: str) -> None:
        for word in _json_sources(arguments) or self._words(arguments)[:-1]:
            if len(self.urls) >= _MAX_URLS:
                return
            source = self._value(word, stage.variables)
            if source and _URL.match(source):
                self.urls[source] = None

    def _add_flag_images(self, instruction: Instruction) -> None:
        words = instruction.arguments.split()
        for word in takewhile(lambda word: word.startswith("--"), words):
            for match in _FROM_FLAG.finditer(word):
                image = match[1]
                if not (image.isdecimal() or image.lower() in self._by_name or "$" in image):
                    self._add_image(instruction.line, image)

    def _add_image(self, line: int, image: str) -> None:
        if len(self.images) < MAX_IMAGES:
            self.images[ImageUse(line, image)] = None

    def _expose(self, stage: _Stage, arguments: str) -> None:
        ports = stage.exposed_ports
        for word in self._words(arguments):
            if len(ports) >= _MAX_EXPOSED:
                return
            try:
                value = variables.expand(word, stage.variables, self.escape)
            except Malformed as error:
                self._warn(f"EXPOSE {_printable(word)} cannot be evaluated: {error}")
            else:
                ports += value.split() or [word]

    def _value(self, word: str, values: Mapping[str, str]) -> str | None:
        with suppress(Malformed):
            return variables.expand(word, values, self.escape)
        return None

    def _words(self, arguments: str) -> list[str]:
        return variables.words(arguments, self.escape)

    def _port_number(self, port: str) -> int | None:
        match = _PORT.fullmatch(port)
        number = int(match[1]) if match else 0
        if match is None or not 0 < number <= _MAX_PORT:
            self._warn(f"EXPOSE {_printable(port)}: this is not a port")
        elif (match[2] or "tcp").lower() != "tcp":
            self._warn(f"EXPOSE {_printable(port)}: only a TCP port can get the host name")
        else:
            return number
        return None


def _assign(values: dict[str, str], name: str, value: str | None) -> None:
    """Set a variable, or unset it if its value is unknown."""
    if value is None:
        values.pop(name, None)
    elif name in values or len(values) < _MAX_VARIABLES:
        values[name] = value


def _json_sources(arguments: str) -> list[str]:
    """Return the sources of `["source", …, "target"]`; none if it is not such a list."""
    if not arguments.startswith("["):
        return []
    try:
        return msgspec.json.decode(arguments, type=list[str])[:-1]
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return []


def _printable(text: str) -> str:
    line = "".join(letter if letter.isprintable() else "�" for letter in text)
    return line if len(line) <= _MAX_CHARACTERS else line[:_MAX_CHARACTERS] + "…"
