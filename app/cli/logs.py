"""`task logs`: what a task's containers write, or its image build."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from app.cli import refuse, with_context
from app.context import Context
from app.errors import Temporary
from app.store.records import State, Task

if TYPE_CHECKING:
    from k8s.logs import TaskLog

_ROUND_SECONDS = 0.2
_LOOK_SECONDS = 2.0
_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
_BUILDS = frozenset({State.ACCEPTED, State.FETCHING, State.BUILDING})

# Of what a terminal would obey, only colours pass.
_CONTROL = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


@click.command()
@click.argument("uuid")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("--build", is_flag=True, help="The log of the image build.")
@click.option("--tail", type=click.IntRange(min=0), help="Only so many lines of each container.")
@with_context
def logs(context: Context, uuid: str, *, follow: bool, build: bool, tail: int | None) -> None:
    """Show what a task's containers write. UUID is the job's, the task's or the Space's."""
    from app.cli.tasks import found  # noqa: PLC0415 - which has this as a command.

    show = _Screen()
    try:
        one = found(context, uuid)
        with suppress(KeyboardInterrupt):
            if build:
                _build(context, one, show, follow=follow)
            else:
                _containers(context, one, show, follow=follow, tail=tail)
    except Temporary as error:
        refuse(error.message, code=1)


def _containers(
    context: Context, one: Task, show: "_Screen", *, follow: bool, tail: int | None
) -> None:
    from k8s import logs as kubernetes  # noqa: PLC0415
    from k8s.api.errors import ClusterError  # noqa: PLC0415
    from k8s.naming import names  # noqa: PLC0415

    if one.ended or not one.wallet:
        refuse(f"task {one.id} is {one.state} and has no containers", code=1)
    redaction = context.redaction
    try:
        cluster = context.cluster
    except ClusterError as error:
        refuse(str(error), code=1)
    log = kubernetes.TaskLog(
        cluster,
        names.namespace(one.wallet),
        one.id,
        extent=kubernetes.Extent(follow=follow, last_lines=tail),
        filter_=kubernetes.Filter(redaction.bytes, redaction.reach),
        ready=threading.Event(),
    )
    log.start()
    try:
        ended = _ended(context, one.id) if follow else lambda: log.done
        _print_all(log, show, ended)
    finally:
        log.stop()
    if not follow and not log.pods:
        refuse(f"task {one.id} is {one.state}; no pods of it were found", code=1)


def _print_all(log: "TaskLog", show: "_Screen", ended: Callable[[], bool]) -> None:
    while True:
        is_last = ended()
        for piece in log.take():
            for line in piece.lines.decode().split("\n")[:-1]:
                show.line(line)
        if is_last:
            return
        time.sleep(_ROUND_SECONDS)


def _ended(context: Context, task_id: str) -> Callable[[], bool]:
    """Return what tells whether a task is over, looking from time to time."""
    looked_at = time.monotonic()

    def ended() -> bool:
        nonlocal looked_at
        if time.monotonic() - looked_at < _LOOK_SECONDS:
            return False
        looked_at = time.monotonic()
        task = context.store.get(task_id)
        return task is None or task.ended

    return ended


def _build(context: Context, one: Task, show: "_Screen", *, follow: bool) -> None:
    is_empty = True
    for line in _built(context, one.id, follow=follow):
        is_empty = False
        show.text(context.redaction.text(line))
    if is_empty:
        refuse(f"no image was built for task {one.id}", code=1)


def _built(context: Context, task_id: str, *, follow: bool) -> Iterator[str]:
    """Yield the lines of a build; those to come as well, until it ends."""
    from app.store import build_log  # noqa: PLC0415
    from app.store.redis_errors import translated  # noqa: PLC0415

    place, is_ended = build_log.START, False
    while True:
        with translated():
            found = build_log.read(context.redis, task_id, after=place)
        for _, line in found:
            is_ended = line is None
            if line is not None:
                yield line
        if found:
            place = found[-1][0]
            continue
        task = context.store.get(task_id)
        if not follow or is_ended or task is None or task.state not in _BUILDS:
            return
        time.sleep(_ROUND_SECONDS)


class _Screen:
    """Standard output: in colours where it is a terminal, as it is otherwise."""

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
        click.echo(f"{head} {_harmless(text)}")

    def text(self, text: str) -> None:
        """Print a line that is only text."""
        click.echo(_harmless(text) if self._is_terminal else text, color=True)


def _harmless(text: str) -> str:
    kept = _CONTROL.sub(lambda match: match[1] or "�", text)
    return kept + "\x1b[0m" if "\x1b" in kept else kept
