"""Tests of `task logs`: its output on a terminal and in a pipe."""

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
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J\x9b2J\rover", r"\x1b[2J\x9b2J\rover"),
    ],
)
def test_a_tenant_does_not_control_the_terminal(text: str, shown: str) -> None:
    """Colours pass; all other control characters become visible."""
    assert logs._sanitize(text) == shown


def test_a_colour_for_each_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each container has its colour."""
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        output = logs._LogOutput()
        output.line("2026-11-22T10:00:00Z [web-abcde] one")
        output.line("2026-11-22T10:00:00Z [api-abcde] two")
        stream.flush()
        lines = os.read(controller, 4096).decode().splitlines()
    os.close(controller)
    assert lines[0] == "\x1b[2m2026-11-22T10:00:00Z\x1b[0m \x1b[36m[web-abcde]\x1b[0m one"
    assert "\x1b[32m[api-abcde]" in lines[1]


def test_no_colours_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Piped output is exactly what the container wrote."""
    logs._LogOutput().line("2026-11-22T10:00:00Z [web-abcde] \x1b[2Jone")
    assert capsys.readouterr().out == "2026-11-22T10:00:00Z [web-abcde] \x1b[2Jone\n"
