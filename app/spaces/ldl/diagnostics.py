"""Problems of a deployment file: each has a path and a sentence for the file's author."""

import re
from dataclasses import dataclass, field

from app.errors import Permanent

MAX_PROBLEMS = 50
MAX_QUOTED = 60

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_<*-][A-Za-z0-9_<*/-]{0,62}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; `path` is its place in the file: `services.web.expose[1].port`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidDeployment(Exception):
    """The file cannot run as it is; `problems` holds at least one and at most `MAX_PROBLEMS`."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    def failure(self) -> Permanent:
        """Return the failure of the task that the file, or the order, is of."""
        return Permanent("; ".join(map(str, self.problems)), category="ldl_refused")


@dataclass(slots=True)
class Findings:
    """Refusals and warnings collected while a file is read; each is kept once, in order."""

    refusals: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[Problem, None] = field(default_factory=dict)

    def refuse(self, path: str, message: str) -> None:
        """Add a problem that keeps the file from running."""
        if len(self.refusals) < MAX_PROBLEMS:
            self.refusals[Problem(path, message)] = None

    def warn(self, path: str, message: str) -> None:
        """Add a problem that the author should know of, although the file runs."""
        if len(self.warnings) < MAX_PROBLEMS:
            self.warnings[Problem(path, message)] = None

    def raise_refusals(self) -> None:
        """Raise InvalidDeployment if anything was refused."""
        if self.refusals:
            raise InvalidDeployment(*self.refusals)


def quote(text: str) -> str:
    """Untrusted text as one short printable line in backticks."""
    short = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
    printable = "".join(character if character.isprintable() else "·" for character in short)
    return f"`{printable}`"


def child_path(path: str, key: str) -> str:
    """The path of `key` in the mapping at `path`."""
    name = key if _PLAIN_KEY.fullmatch(key) else f'"{quote(key)[1:-1]}"'
    return f"{path}.{name}" if path else name
