"""What `task logs` prints on a terminal."""

import os
import pty
import sys

import pytest

from app.cli import logs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext ü", "plain\ttext ü"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", "�]0;title�"),
        ("\x1b[2J\x9b2J\rover", "�[2J�2J�over"),
    ],
)
def test_a_tenant_does_not_command_the_terminal(text: str, shown: str) -> None:
    """Colours pass; whatever else a terminal would obey is made visible."""
    assert logs._harmless(text) == shown


def test_a_colour_for_each_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each container has its colour; elsewhere lines are as they came."""
    ours, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        screen = logs._Screen()
        screen.line("2026-11-22T10:00:00Z [web-abcde] one")
        screen.line("2026-11-22T10:00:00Z [api-abcde] two")
        stream.flush()
        told = os.read(ours, 4096).decode().splitlines()
    os.close(ours)
    assert told[0] == "\x1b[2m2026-11-22T10:00:00Z\x1b[0m \x1b[36m[web-abcde]\x1b[0m one"
    assert "\x1b[32m[api-abcde]" in told[1]


def test_no_colours_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """What is piped is exactly what was written."""
    logs._Screen().line("2026-11-22T10:00:00Z [web-abcde] \x1b[2Jone")
    assert capsys.readouterr().out == "2026-11-22T10:00:00Z [web-abcde] \x1b[2Jone\n"
