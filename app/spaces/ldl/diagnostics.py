"""What is wrong with a file, or merely odd: where, and in a sentence for its author."""

import re
from dataclasses import dataclass, field

MAX_PROBLEMS = 50
MAX_SHOWN = 60

_PLAIN_STEP = re.compile(r"[A-Za-z0-9_<*-][A-Za-z0-9_<*/-]{0,62}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; `path` is the place in the file: `services.web.expose[1].port`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidDeployment(Exception):
    """The file cannot run as it is; `problems` holds at least one and at most `MAX_PROBLEMS`."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Findings:
    """Collects refusals and warnings while one file is read; each is kept once, in order."""

    refusals: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[Problem, None] = field(default_factory=dict)

    def refuse(self, path: str, message: str) -> None:
        """Note what keeps the file from running."""
        if len(self.refusals) < MAX_PROBLEMS:
            self.refusals[Problem(path, message)] = None

    def warn(self, path: str, message: str) -> None:
        """Note what the author should know, although the file runs."""
        if len(self.warnings) < MAX_PROBLEMS:
            self.warnings[Problem(path, message)] = None

    def conclude(self) -> None:
        """Raise Refused when anything was refused."""
        if self.refusals:
            raise InvalidDeployment(*self.refusals)


def shown(text: str) -> str:
    """A stranger's text as one short printable line in backticks."""
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    printable = "".join(character if character.isprintable() else "·" for character in short)
    return f"`{printable}`"


def step(path: str, key: str) -> str:
    """The path of `key` in the mapping at `path`."""
    name = key if _PLAIN_STEP.fullmatch(key) else f'"{shown(key)[1:-1]}"'
    return f"{path}.{name}" if path else name
