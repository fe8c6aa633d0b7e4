"""The states of a simulated container, by its age. Pure."""

import math
from dataclasses import dataclass, field

from app.demo.cluster.object_store import at
from app.demo.cluster.resources import Json

_BACK_OFF_SECONDS = 10.0
_LONGEST_BACK_OFF_SECONDS = 300.0
_MISSING = ("missing", "does-not-exist")
_RATE, _TEXT = "SIMULATED_LINES_PER_SECOND", "SIMULATED_LINE"
_HIGHEST_RATE = 1e6

SECOND = 1_000_000_000
Line = tuple[int, str]
"""A unix time in nanoseconds, and a text."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Lines that a container writes regularly, as its environment says.

    Attributes:
        began: Unix nanoseconds.
        rate: Lines a second.
        text: The text before each number.
    """

    began: int
    rate: float
    text: str

    def count(self, now: int) -> int:
        """Return the number of lines that it wrote before `now`."""
        return max(0, math.ceil((now - self.began) / SECOND * self.rate))

    def line(self, number: int) -> Line:
        """One of them, counted from 0."""
        return self.began + math.floor(number / self.rate * SECOND), f"{self.text} {number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A container at one moment.

    Attributes:
        state: As in `containerStatuses`.
        until: The age in seconds at which it changes by itself, or None.
        ready: Whether it is ready.
        restarts: How often it has been restarted.
        last: The state that came before the last restart.
        log: The lines that it has written, with the time of each.
        writing: The lines that it writes besides.
    """

    state: Json
    until: float | None = None
    ready: bool = False
    restarts: int = 0
    last: Json = field(default_factory=dict)
    log: tuple[Line, ...] = ()
    writing: Writing | None = None


def look(
    container: Json, *, age: float, startup: float, born: float, missing: str, once: bool
) -> Moment:
    """A container at `age` seconds.

    Args:
        container: As in a pod's spec.
        age: Since its pod came to a node.
        startup: Seconds until it is ready, when nothing is wrong with it.
        born: Unix time of age 0.
        missing: Why it cannot be configured, or nothing.
        once: It runs to its end before the others start.
    """
    image = str(container.get("image", ""))
    if age < startup / 2:
        return Moment(state=_waiting("ContainerCreating"), until=startup / 2)
    if missing:
        return Moment(state=_waiting("CreateContainerConfigError", missing))
    if any(mark in image for mark in _MISSING):
        return _missing_image(image, age, startup)
    code = _exit_code(container, image)
    if once and not code:
        return Moment(state={"terminated": _ended(0, born + startup / 2)}, ready=True)
    if code is not None:
        return _crashing(image, code, age, startup, born)
    return _running(container, age, startup, born)


def _running(container: Json, age: float, startup: float, born: float) -> Moment:
    began = int((born + startup / 2) * SECOND)
    log = ((began, f"simulated: {container.get('image', '')} runs"),)
    state = {"running": {"startedAt": at(born + startup / 2)}}
    ready = age >= startup
    until = None if ready else startup
    writing = _writing(container, began)
    return Moment(state=state, until=until, ready=ready, log=log, writing=writing)


def _writing(container: Json, began: int) -> Writing | None:
    known = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    try:
        rate = min(float(known.get(_RATE, "0")), _HIGHEST_RATE)
    except ValueError:
        return None
    return Writing(began, rate, known.get(_TEXT, "line")) if rate > 0 else None


def _waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def _missing_image(image: str, age: float, startup: float) -> Moment:
    full = image if "." in image.partition("/")[0] else f"docker.io/library/{image}"
    error = (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
        f'failed to resolve reference "{full}": {full}: not found'
    )
    if age < startup * 2:
        return Moment(state=_waiting("ErrImagePull", error), until=startup * 2)
    message = f'Back-off pulling image "{image}": ErrImagePull: {error}'
    return Moment(state=_waiting("ImagePullBackOff", message))


def _ended(code: int, when: float) -> Json:
    return {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": at(when)}


def _exit_code(container: Json, image: str) -> int | None:
    """Return the end of the container, or None when it runs on."""
    words = [*container.get("command", []), *container.get("args", [])]
    if words and words[0].rpartition("/")[2] in {"false", "true"}:
        return int(words[0].endswith("false"))
    return 1 if image.rpartition("/")[2].startswith("crash") else None


def _crashing(image: str, code: int, age: float, startup: float, born: float) -> Moment:
    """Runs for a moment, ends, is restarted: at once the first time, then later and later."""
    runs = startup / 2
    started, restarts, pause = runs, 0, 0.0
    while age >= started + runs + pause:
        started += runs + pause
        restarts += 1
        pause = _BACK_OFF_SECONDS * 2 ** (restarts - 1)
        pause = min(pause, _LONGEST_BACK_OFF_SECONDS)
    running = {"running": {"startedAt": at(born + started)}}
    ended = {"terminated": _ended(code, born + started + runs)}
    log = (
        (int((born + started) * SECOND), f"simulated: {image} starts"),
        (
            int((born + started + runs) * SECOND),
            f"simulated: {image} ends with exit code {code}",
        ),
    )
    last = ended if restarts else {}
    if age < started + runs:
        until = started + runs
        return Moment(
            state=running, until=until, ready=True, restarts=restarts, last=last, log=log[:1]
        )
    until = started + runs + pause
    state = _waiting("CrashLoopBackOff", f"back-off {pause:.0f}s restarting failed container")
    if not restarts:
        return Moment(state=ended, until=until, log=log)
    return Moment(state=state, until=until, restarts=restarts, last=ended, log=log)
