"""The demonstration's waits."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from app.demo.polling import Failed, Interrupted, Patience
from app.errors import Temporary


@pytest.fixture
def patience() -> Iterator[Patience]:
    """One that listens to signals, for the length of a test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    found = Patience(show=lambda _: None)
    found.listen()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_waiting_ends_with_what_it_waits_for(patience: Patience) -> None:
    """The first true value is returned; errors of slow calls come through; time limits hold."""
    answers = iter(["", "", "there"])
    assert patience.until(lambda: "it", lambda: next(answers), seconds=5) == "there"
    with pytest.raises(Failed, match=r"longer than 0\.1 s: it"):
        patience.until(lambda: "it", lambda: "", seconds=0.1)

    def fail() -> None:
        raise Temporary("away", category="x")

    with pytest.raises(Temporary, match="away"):
        patience.call(lambda: "it", fail, seconds=5)


def test_waiting_ends_with_a_signal(patience: Patience) -> None:
    """A signal ends a wait, even for a call that hangs, and the same one does not count twice."""
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM"):
        patience.call(lambda: "it", lambda: time.sleep(1), seconds=5)
    patience.forever()
    assert patience.until(lambda: "it", lambda: "there", seconds=1) == "there"
