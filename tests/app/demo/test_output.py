"""The demonstration's output."""

import errno
import io
import os
import pty

from app.demo.output import Screen


def test_lines_are_plain_where_nobody_looks() -> None:
    """Into a file go whole lines, without colours and without what is waited for."""
    file = io.StringIO()
    screen = Screen(file)
    screen.line("callback", "x" * 500, "a note")
    screen.waiting("never shown")
    screen.success("done")
    first, _, last = file.getvalue().splitlines()
    assert first == f"   0.0 s  callback   {'x' * 500}  a note"
    assert last == "✔ done"


def test_lines_are_folded_and_coloured_on_a_terminal() -> None:
    """On a terminal long lines are folded under their beginning."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as file:
        screen = Screen(file)
        screen.line("pod", " ".join(["word"] * 30))
        shown = ""
        while not shown.endswith("\n"):
            shown += os.read(ours, 65536).decode()
    os.close(ours)
    assert "\033[" in shown
    _, second, *_ = shown.splitlines()
    assert second.startswith(" " * 21 + "word")


def test_a_reader_who_has_left_ends_nothing() -> None:
    """Printing goes on into the void, so that everything can still be removed."""

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "gone")

    Screen(Gone()).line("pod", "ready")
