"""The `task logs` command: logs of a task's containers, or of its image build."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from app.cli import refuse, with_context
from app.cli.formatting import visible
from app.context import Context
from app.errors import Temporary
from app.store.records import State, Task

if TYPE_CHECKING:
    from k8s.logs import TaskLog

_POLL_SECONDS = 0.2
_TASK_POLL_SECONDS = 2.0
_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
_BUILD_STATES = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING})

# What passes to a terminal: escape sequences for colours, and tabs.
_PASSED = re.compile(r"(\x1b\[[0-9;]*m|\t)")


@click.command()
@click.argument("uuid")
@click.option("-f", "--follow", is_flag=True, help="Follow new lines as they are written.")
@click.option("--build", is_flag=True, help="Show the log of the image build.")
@click.option(
    "--tail", type=click.IntRange(min=0), help="Show only this many of each container's last lines."
)
@with_context
def logs(context: Context, uuid: str, *, follow: bool, build: bool, tail: int | None) -> None:
    """Show the logs of a task's containers. UUID is the job's, the task's or the Space's."""
    from app.cli.tasks import find_task  # noqa: PLC0415 - it imports this command.

    output = _LogOutput()
    try:
        task = find_task(context, uuid)
        with suppress(KeyboardInterrupt):
            if build:
                _print_build(context, task, output, follow=follow)
            else:
                _print_containers(context, task, output, follow=follow, tail=tail)
    except Temporary as error:
        refuse(error.message, code=1)


def _print_containers(
    context: Context, task: Task, output: "_LogOutput", *, follow: bool, tail: int | None
) -> None:
    from k8s import logs as kubernetes  # noqa: PLC0415
    from k8s.api.errors import ClusterError  # noqa: PLC0415
    from k8s.naming import names  # noqa: PLC0415

    if task.ended or not task.wallet:
        refuse(f"task {task.id} is {task.state} and has no containers", code=1)
    redaction = context.redaction
    try:
        cluster = context.cluster
    except ClusterError as error:
        refuse(str(error), code=1)
    log = kubernetes.TaskLog(
        cluster,
        names.namespace(task.wallet),
        task.id,
        extent=kubernetes.Extent(follow=follow, last_lines=tail),
        filter_=kubernetes.Filter(redaction.bytes, redaction.reach),
        ready=threading.Event(),
    )
    log.start()
    try:
        is_over = _end_check(context, task.id) if follow else lambda: log.done
        _print_lines(log, output, is_over)
    finally:
        log.stop()
    if not follow and not log.pods:
        refuse(f"task {task.id} is {task.state} and has no pods", code=1)


def _print_lines(log: "TaskLog", output: "_LogOutput", is_over: Callable[[], bool]) -> None:
    while True:
        is_last = is_over()
        for piece in log.take():
            for line in piece.lines.decode().split("\n")[:-1]:
                output.line(line)
        if is_last:
            return
        time.sleep(_POLL_SECONDS)


def _end_check(context: Context, task_id: str) -> Callable[[], bool]:
    """Return a function that is True once the task has ended; it reads Redis every few seconds."""
    read_at = time.monotonic()

    def is_over() -> bool:
        nonlocal read_at
        if time.monotonic() - read_at < _TASK_POLL_SECONDS:
            return False
        read_at = time.monotonic()
        task = context.store.get(task_id)
        return task is None or task.ended

    return is_over


def _print_build(context: Context, task: Task, output: "_LogOutput", *, follow: bool) -> None:
    is_empty = True
    for line in _build_lines(context, task.id, follow=follow):
        is_empty = False
        output.text(context.redaction.text(line))
    if is_empty:
        refuse(f"no image was built for task {task.id}", code=1)


def _build_lines(context: Context, task_id: str, *, follow: bool) -> Iterator[str]:
    """Yield the lines of a build; with `follow` also those to come, until it ends."""
    from app.store import build_log  # noqa: PLC0415

    last_id, is_ended = build_log.START, False
    while True:
        entries = context.store.read(build_log.lines(task_id, after=last_id))
        for _, line in entries:
            is_ended = line is None
            if line is not None:
                yield line
        if entries:
            last_id = entries[-1][0]
            continue
        task = context.store.get(task_id)
        if not follow or is_ended or task is None or task.state not in _BUILD_STATES:
            return
        time.sleep(_POLL_SECONDS)


class _LogOutput:
    """Log lines on standard output: coloured and sanitized on a terminal, otherwise unchanged."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._colours: dict[str, str] = {}

    def line(self, line: str) -> None:
        """Print `<time stamp> [<label>] <text>`."""
        stamp, label, text = line.split(" ", 2)
        if not self._is_terminal:
            click.echo(line, color=True)
            return
        colour = self._colours.setdefault(label, _COLOURS[len(self._colours) % len(_COLOURS)])
        head = f"{click.style(stamp, dim=True)} {click.style(label, fg=colour)}"
        click.echo(f"{head} {_sanitize(text)}")

    def text(self, text: str) -> None:
        """Print a line without time stamp and label."""
        click.echo(_sanitize(text) if self._is_terminal else text, color=True)


def _sanitize(text: str) -> str:
    parts = _PASSED.split(text)
    parts[::2] = map(visible, parts[::2])
    shown = "".join(parts)
    return shown + "\x1b[0m" if "\x1b" in shown else shown
