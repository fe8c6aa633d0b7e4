"""`task list`: every task, and what Lagrange says of it."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from types import FrameType
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli import refuse, with_glance
from app.cli.formatting import (
    colour,
    moment,
    period,
    shortened,
    text,
)
from app.errors import Temporary
from app.store.glance import Glance
from app.store.records import MarketStatus, Task
from app.tasks import task_json

COLUMNS = (
    "TASK UUID",
    "TASK TYPE",
    "WALLET ADDRESS",
    "SPACE UUID",
    "SPACE NAME",
    "STATUS",
    "SPACE STATUS",
    "RUNNING TIME",
    "REMAINING TIME",
    "REWARDS",
)
NONE = "no tasks yet; Lagrange assigns them by webhook"
_STATUS = COLUMNS.index("STATUS")
_WHOLE = {"TASK UUID": 9, "WALLET ADDRESS": 9, "SPACE UUID": 9, "REMAINING TIME": 9}
_NOT_TOLD = MarketStatus(space_status="")
_WATCH_SECONDS = 2.0
_PADDED_TO = 44
_AROUND_ROWS = 4
_LONGEST_CELL = 200

Row = tuple[str, ...]


@click.command("list")
@click.option("-v", "--verbose", is_flag=True, help="Show whole ids.")
@click.option("--watch", is_flag=True, help="Show them again every 2 seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_glance
def list_(glance: Glance, *, verbose: bool, watch: bool, as_json: bool) -> None:
    """Show every task, the newest last.

    SPACE STATUS, RUNNING TIME, REMAINING TIME and REWARDS are what Lagrange said last, some
    minutes ago at most; - where it said nothing, and for tasks that are over.
    """
    if watch:
        _watch(glance, verbose=verbose, as_json=as_json)
        return
    try:
        tasks, market = glance.tasks(), glance.market()
    except Temporary as error:
        refuse(error.message, code=1)
    if as_json:
        click.echo(json.dumps([_document(one, market.get(one.id)) for one in tasks], indent=2))
        return
    rows = [row(one, market.get(one.id), verbose=verbose) for one in tasks]
    if sys.stdout.isatty():
        Console().print(_table(rows) if rows else NONE)
        return
    for line in plain(rows) if rows else [NONE]:
        click.echo(line)


def _document(task: Task, said: MarketStatus | None) -> dict[str, Any]:
    return {**task_json.summary(task), "lagrange": task_json.market(said)}


def row(task: Task, said: MarketStatus | None, *, verbose: bool) -> Row:
    """Return what a task's line says, in the order of `COLUMNS`."""
    told = said or _NOT_TOLD
    name = text if verbose else shortened
    return (
        name(task.task_uuid or task.id),
        _kind(task.hardware),
        name(task.wallet),
        name(task.space_uuid),
        text(task.space_name),
        text(task.state),
        text(told.space_status),
        period(told.running_time),
        period(told.remaining_time),
        text(told.payment_amount),
    )


def _kind(hardware: str) -> str:
    """The first part says no GPU, or which; `vCPU` is in every description."""
    if not hardware:
        return "-"
    return "CPU" if "CPU" in hardware.partition("·")[0].upper() else "GPU"


def plain(rows: list[Row]) -> Iterator[str]:
    """Yield the table as lines without end: nothing is cut off, whatever it is as wide as."""
    lines = [COLUMNS, *rows]
    widths = [_width(cells) for cells in zip_longest(*lines, fillvalue="")]
    for line in lines:
        padded = (_padded(cell, width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _width(cells: tuple[str, ...]) -> int:
    """As its widest cell, but for those that would push everything else aside."""
    return max(width for one in cells if (width := cell_len(one)) <= _PADDED_TO)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", min_width=_WHOLE.get(column, 1))
    for cells in rows:
        styled = [Text(_bounded(cell)) for cell in cells]
        styled[_STATUS].stylize(colour(cells[_STATUS]))
        table.add_row(*styled)
    return table


def _bounded(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}…"


def _watch(glance: Glance, *, verbose: bool, as_json: bool) -> None:
    console = Console()
    if as_json or not console.is_terminal or console.is_dumb_terminal:
        raise click.UsageError("--watch needs a terminal, and does not go with --json")
    shown: Group | None = None
    with _ending(), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            trouble = ""
            try:
                shown = _screen(console, glance, verbose=verbose)
            except Temporary as error:
                trouble = f"{moment(time.time())}  {text(error.message)}"
            parts = [*(shown.renderables if shown else ()), Text(trouble, style="red")]
            live.update(Group(*parts), refresh=True)
            time.sleep(_WATCH_SECONDS)


def _screen(console: Console, glance: Glance, *, verbose: bool) -> Group:
    """As many of the newest tasks as there is room for."""
    market = glance.market()
    rows = [row(one, market.get(one.id), verbose=verbose) for one in glance.tasks()]
    count = max(1, console.height - _AROUND_ROWS)
    while count > 1 and len(console.render_lines(_table(rows[-count:]))) > console.height - 2:
        count -= 1
    left_out = len(rows) - count
    earlier = f", {left_out} earlier ones are not shown" if left_out > 0 else ""
    head = Text(f"{moment(time.time())}  {len(rows)} tasks{earlier}", style="dim")
    return Group(head, _table(rows[-count:]) if rows else Text(NONE))


@contextmanager
def _ending() -> Iterator[None]:
    """Leave the terminal as it was at Ctrl-C, and also when the process is told to end."""

    def end(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
