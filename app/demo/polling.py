"""Waiting: in the main thread, with an eye on the processes, until a signal says to leave."""

import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TypeVar

from app.errors import ConfigError, Failure
from k8s.api.errors import ClusterError

_T = TypeVar("_T")

_POLL_SECONDS = 0.03
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """A step failed; the message says what happened instead."""


class Interrupted(Exception):
    """A signal asked to leave.

    Attributes:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


EXPECTED = (ClusterError, ConfigError, Failed, Failure, OSError)


def _nothing() -> None:
    """See to nothing."""


@dataclass
class Patience:
    """Waits for a condition, a call or a signal.

    Attributes:
        meanwhile: Called again and again during every wait.
        show: Called with the reason for the wait.
    """

    show: Callable[[str], None]
    meanwhile: Callable[[], None] = _nothing
    _signalled: int | None = field(default=None, init=False)

    def listen(self) -> None:
        """Take signals from now on: they end the waiting, and nothing but the waiting."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def ignore(self) -> None:
        """Take no signals any more: everything is over, and the exit code is known."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._signalled = number

    def look(self) -> None:
        """See to the processes.

        Raises:
            Interrupted: It is time to leave.
        """
        if self._signalled is not None:
            raise Interrupted(self._signalled)
        self.meanwhile()

    def until(
        self,
        what: Callable[[], str],
        condition: Callable[[], _T | None],
        *,
        seconds: float,
        every: float = _POLL_SECONDS,
    ) -> _T:
        """Return the condition's first result that is true.

        Args:
            what: Returns the reason for the wait, for people.
            condition: Quick; asked again and again.
            seconds: The longest wait.
            every: Seconds between two looks.

        Raises:
            Failed: It did not come in time.
            Interrupted: It is time to leave.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.look()
            if result := condition():
                return result
            if time.monotonic() > deadline:
                raise Failed(f"this took longer than {seconds:g} s: {what()}")
            self.show(what())
            time.sleep(every)

    def call(self, what: Callable[[], str], function: Callable[[], _T], *, seconds: float) -> _T:
        """Return a slow function's result, or raise its error.

        Raises:
            ClusterError, Failure, OSError: The function's.
            Failed: It did not return in time.
            Interrupted: It is time to leave.
        """
        results: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()

        def run() -> None:
            results.put(_outcome(function))

        threading.Thread(target=run, daemon=True).start()
        self.until(what, lambda: not results.empty(), seconds=seconds)
        return results.get()()

    def forever(self) -> None:
        """Wait for a signal, and forget it."""
        while self._signalled is None:
            self.look()
            time.sleep(_POLL_SECONDS)
        self._signalled = None


def _outcome(function: Callable[[], _T]) -> Callable[[], _T]:
    """Call the function; return a function that returns its result or raises its error again."""
    try:
        result = function()
    except (ClusterError, Failure, OSError) as error:
        failure = error

        def fail() -> _T:
            raise failure

        return fail
    return lambda: result
