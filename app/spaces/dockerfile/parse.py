"""The stages of a Dockerfile, and the port that the last one exposes."""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from app.spaces.dockerfile import instructions, variables
from app.spaces.dockerfile.instructions import Instruction
from app.spaces.dockerfile.variables import Malformed

MAX_BYTES = 1 << 20
DEFAULT_PORT = 80
_MAX_PORT = 65535
_MAX_WARNINGS = 20
_MAX_VARIABLES = 1000
_SHOWN_CHARACTERS = 80
_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})(?:-[0-9]{1,5})?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_URL = re.compile(r"(?:https?|git|ssh|ftp)://|git@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What was read.

    Attributes:
        port: The TCP port that gets the host name, 1 to 65535.
        warnings: What its author should know, a sentence each.
        urls: What `ADD` would fetch from the network, as far as the file alone tells.
    """

    port: int = DEFAULT_PORT
    warnings: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


def read(content: bytes) -> Dockerfile:
    """Return what a Dockerfile says; only its first MiB is looked at.

    The port is the first TCP port of the first EXPOSE of the last stage, else of the stage that it
    is built from, and so on; else 80, with a warning.
    """
    text = content[:MAX_BYTES].decode("utf-8-sig", "replace").replace("\0", "")
    reading = _Reading(instructions.escape(text))
    for instruction in instructions.split(text, reading.escape):
        reading.take(instruction)
    port = reading.port()
    return Dockerfile(port, tuple(reading.warnings), tuple(dict.fromkeys(reading.urls)))


@dataclass(slots=True)
class _Stage:
    """One FROM and what follows: values by name, and the words of each EXPOSE."""

    base: "_Stage | None" = None
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    exposed: list[list[str]] = field(default_factory=list)

    @property
    def variables(self) -> Mapping[str, str]:
        return ChainMap(self.environment, self.arguments)


class _Reading:
    """A Dockerfile being read: what came before the first FROM, and the stages so far."""

    def __init__(self, escape: str) -> None:
        self.escape = escape
        self.warnings: list[str] = []
        self.urls: list[str] = []
        self._top = _Stage()
        self._stage: _Stage | None = None
        self._by_name: dict[str, _Stage] = {}

    def take(self, instruction: Instruction) -> None:
        """Let one instruction have its effect; one that cannot be evaluated has none."""
        stage = self._stage
        word, arguments = instruction.word, instruction.arguments
        if word == "FROM":
            self._begin(arguments)
        elif word == "ARG":
            self._declare(stage or self._top, arguments)
        elif stage and word == "ENV":
            self._set(stage, arguments)
        elif stage and word == "EXPOSE":
            stage.exposed.append(self._exposed(arguments, stage))
        elif stage and word == "ADD":
            self.urls += self._fetched(arguments, stage)

    def port(self) -> int:
        """Return the port that is exposed."""
        stage = self._stage
        while stage is not None and not stage.exposed:
            stage = stage.base
        for words in stage.exposed if stage else ():
            for word in words:
                if number := self._number(word):
                    return number
        self.warnings.append(
            f"the Dockerfile exposes no TCP port (`EXPOSE 8080`);"
            f" the service has to listen on port {DEFAULT_PORT}"
        )
        return DEFAULT_PORT

    def _warn(self, sentence: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS and sentence not in self.warnings:
            self.warnings.append(sentence)

    def _begin(self, arguments: str) -> None:
        """Begin a stage; it has what the stage has that it is built from."""
        self._stage = _Stage()
        words = [word for word in self._words(arguments) if not word.startswith("--")]
        image = self._value(words[0], self._top.arguments) if words else None
        if base := self._by_name.get((image or "").lower()):
            self._stage = _Stage(base, dict(base.arguments), dict(base.environment))
        if len(words) > 2 and words[1].lower() == "as":  # noqa: PLR2004 - image, AS, name.
            self._by_name[words[2].lower()] = self._stage

    def _declare(self, stage: _Stage, arguments: str) -> None:
        for word in self._words(arguments):
            name, given, text = word.partition("=")
            if given:
                _keep(stage.arguments, name, self._value(text, stage.variables))
            elif name in self._top.arguments:
                _keep(stage.arguments, name, self._top.arguments[name])

    def _set(self, stage: _Stage, arguments: str) -> None:
        words = self._words(arguments)
        if words and "=" not in words[0]:
            name, *texts = arguments.split(maxsplit=1)
            pairs = [(name, texts[0] if texts else "")]
        else:
            pairs = [(name, text) for name, _, text in (word.partition("=") for word in words)]
        values = [(name, self._value(text, stage.variables)) for name, text in pairs]
        for name, value in values:
            _keep(stage.environment, name, value)

    def _fetched(self, arguments: str, stage: _Stage) -> Iterator[str]:
        for word in _listed(arguments) or self._words(arguments)[:-1]:
            source = self._value(word, stage.variables)
            if source and _URL.match(source):
                yield source

    def _exposed(self, arguments: str, stage: _Stage) -> list[str]:
        found: list[str] = []
        for word in self._words(arguments):
            try:
                value = variables.expand(word, stage.variables, self.escape)
            except Malformed as error:
                self._warn(f"EXPOSE {_shown(word)} is not understood: {error}")
            else:
                found += value.split() or [word]
        return found

    def _value(self, word: str, known: Mapping[str, str]) -> str | None:
        with suppress(Malformed):
            return variables.expand(word, known, self.escape)
        return None

    def _words(self, arguments: str) -> list[str]:
        return variables.words(arguments, self.escape)

    def _number(self, word: str) -> int | None:
        found = _PORT.fullmatch(word)
        number = int(found[1]) if found else 0
        if found is None or not 0 < number <= _MAX_PORT:
            self._warn(f"EXPOSE {_shown(word)}: this is no port")
        elif (found[2] or "tcp").lower() != "tcp":
            self._warn(f"EXPOSE {_shown(word)}: only a TCP port can get the host name")
        else:
            return number
        return None


def _keep(values: dict[str, str], name: str, value: str | None) -> None:
    """Set a variable; one whose value is not known is forgotten."""
    if value is None:
        values.pop(name, None)
    elif name in values or len(values) < _MAX_VARIABLES:
        values[name] = value


def _listed(arguments: str) -> list[str]:
    """Return the sources of `["source", …, "target"]`; none when it is no such list."""
    if not arguments.startswith("["):
        return []
    try:
        return msgspec.json.decode(arguments, type=list[str])[:-1]
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return []


def _shown(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "�" for letter in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS else printable[:_SHOWN_CHARACTERS] + "…"
