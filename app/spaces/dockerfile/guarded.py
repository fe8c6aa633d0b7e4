"""A Dockerfile for builders of the worker's machine, with nothing in it that they would fetch.

Such a builder fetches for itself, past the guard of this process: URLs of `ADD`, base images, and
whatever their ONBUILD triggers say. So it gets a Dockerfile that is written anew from what was read
here, one instruction a line, bases by their digest: there is no second reading of it. What may be
fetched and cannot be known from the file is refused.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile

from app.spaces.dockerfile import instructions, variables
from app.spaces.dockerfile.instructions import Instruction
from app.spaces.dockerfile.parse import SCRATCH, decode
from app.spaces.dockerfile.variables import Malformed
from app.spaces.image_registries import ImageRegistries, qualify
from app.spaces.ldl import image_names

Pin = Callable[[str, str], str]
"""From an image and its platform, or an empty string, to the image by its digest."""

_MAX_STAGES = 30
_MAX_FLAGS = 20
_MAX_ARGUMENTS = 1000
_PLAIN = frozenset(
    {
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)
# A URL needs one of these, or a variable, an escape or a here-document that hides them.
_FETCHABLE = re.compile(r"[:@$\\`<]|github\.com/", re.IGNORECASE)
_FLAGS = {
    "ADD": re.compile(r"--(?:chown|chmod|link|exclude|parents)(?:=[^'\"\\`]*)?"),
    "COPY": re.compile(r"--(?:chown|chmod|link|exclude|parents|from)(?:=[^'\"\\`]*)?"),
    "RUN": re.compile(r"--mount=[^'\"\\`$]+|--network=(?:default|none)"),
}
_HOST_NETWORK = "--network=host"
_PLATFORM = re.compile(r"--platform=([a-z0-9/]+|\$\{?[A-Z]+\}?)")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


class Refused(ValueError):
    """The Dockerfile may fetch what cannot be guarded; the message names the line and a remedy."""


def rewrite(content: bytes, *, registries: ImageRegistries, is_host_network: bool, pin: Pin) -> str:
    """Return a Dockerfile that fetches nothing but allowed images, bases by their digest.

    Args:
        content: A tenant's Dockerfile.
        registries: Those that images may come from.
        is_host_network: Steps have this machine's network already.
        pin: Called for each base image; whatever it raises but ValueError is passed on.

    Raises:
        Refused: It may fetch something else, or readers may disagree about it.
    """
    text = decode(content)
    escape = instructions.escape(text)
    writer = _Writer(escape, registries, pin, is_host_network=is_host_network)
    lines = [] if escape == "\\" else [f"# escape={escape}"]
    for instruction in instructions.split(text, escape):
        try:
            lines.append(writer.write(instruction))
        except ValueError as error:
            message = f"line {instruction.line}: {instruction.keyword[:40]} {error}"
            raise Refused(message) from None
    return "\n".join([*lines, ""])


class _Writer:
    """The state of a Dockerfile being rewritten: its global arguments, and the stages so far."""

    def __init__(
        self, escape: str, registries: ImageRegistries, pin: Pin, *, is_host_network: bool
    ) -> None:
        self._escape = escape
        self._registries = registries
        self._pin = pin
        self._is_host_network = is_host_network
        self._arguments: dict[str, str] = {}
        self._stages: set[str] = set()
        self._count = 0

    def write(self, instruction: Instruction) -> str:
        """Return an instruction as one line.

        Raises:
            ValueError: It is refused; a sentence that continues the instruction's keyword.
        """
        keyword, arguments = instruction.keyword, instruction.arguments
        if keyword == "FROM":
            return self._from(arguments.split())
        if keyword == "ONBUILD":
            raise ValueError("is not supported here; leave it out")
        if keyword == "ARG":
            self._remember(arguments)
        elif keyword in instructions.WITH_HEREDOCS:
            arguments = self._fetching(keyword, arguments)
        elif keyword not in _PLAIN:
            raise ValueError("is not an instruction")
        if arguments.endswith(self._escape):
            raise ValueError("ends with an escape character; leave it out")
        return f"{keyword} {arguments}"

    def _remember(self, arguments: str) -> None:
        """Set the arguments that are declared before the first stage."""
        for word in variables.words(arguments, self._escape):
            if self._count or len(self._arguments) >= _MAX_ARGUMENTS:
                return
            name, _, text = word.partition("=")
            with suppress(Malformed):
                self._arguments[name] = variables.expand(text, self._arguments, self._escape)

    def _from(self, words: Sequence[str]) -> str:
        flags, words = _flags(words)
        platform = next((match[1] for match in map(_PLATFORM.fullmatch, flags) if match), "")
        if len(flags) > bool(platform):
            raise ValueError("has a flag that is not supported here")
        if len(words) not in {1, 3} or (len(words) > 1 and words[1].lower() != "as"):
            raise ValueError("must be `FROM <image>` or `FROM <image> AS <stage>`")
        self._count += 1
        if self._count > _MAX_STAGES:
            raise ValueError(f"is one of more than {_MAX_STAGES} stages")
        base = self._base(words[0], platform if "$" not in platform else "")
        if len(words) == 1:
            return f"FROM {base}"
        name = words[2].lower()
        if not _STAGE_NAME.fullmatch(name) or name == SCRATCH:
            raise ValueError("names its stage with other characters than letters and digits")
        self._stages.add(name)
        return f"FROM {base} AS {name}"

    def _base(self, word: str, platform: str) -> str:
        image = variables.expand(word, self._arguments, self._escape)
        if image == SCRATCH or image.lower() in self._stages:
            return image.lower()
        return self._pin(self._allowed(image), platform)

    def _allowed(self, image: str) -> str:
        """Return an image that may be fetched, with its registry."""
        name = image_names.reference(image)
        self._registries.check(name)
        return qualify(name)

    def _source(self, image: str) -> str:
        """Return the stage or image that files are taken from."""
        if image.isdecimal() or image.lower() in self._stages:
            return image.lower()
        return self._allowed(image)

    def _fetching(self, keyword: str, arguments: str) -> str:
        """Return the arguments of an instruction that may fetch."""
        if "<<" in arguments:
            raise ValueError(
                "has a here-document (<<), which builders read differently; COPY a file"
            )
        flags, words = _flags(arguments.split())
        if len(flags) > _MAX_FLAGS:
            raise ValueError(f"has more than {_MAX_FLAGS} flags")
        for flag in flags:
            is_host = flag == _HOST_NETWORK and self._is_host_network
            if not (is_host or _FLAGS[keyword].fullmatch(flag)):
                raise ValueError(f"has a flag that is not supported here: {flag[:60]}")
        if keyword == "ADD":
            # The last word is the target, unless this is a JSON list.
            sources = words if words[:1] and words[0].startswith("[") else words[:-1]
            if _FETCHABLE.search(" ".join(sources)):
                raise ValueError("takes only files of the Space here; fetch with RUN, or use COPY")
        rest = arguments
        for flag in flags:
            rest = rest.removeprefix(flag).lstrip()
        return " ".join([*map(self._flag, flags), rest])

    def _flag(self, flag: str) -> str:
        """Return a flag of ADD, COPY or RUN, with the image in it as it may be fetched."""
        name, _, value = flag.partition("=")
        if name == "--from":
            return f"{name}={self._source(value)}"
        if name != "--mount":
            return flag
        return f"{name}={','.join(map(self._mount_field, value.split(',')))}"

    def _mount_field(self, field: str) -> str:
        name, _, value = field.partition("=")
        return f"from={self._source(value)}" if name.strip().lower() == "from" else field


def _flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    flags = list(takewhile(lambda word: word.startswith("--"), words))
    return flags, list(words[len(flags) :])
