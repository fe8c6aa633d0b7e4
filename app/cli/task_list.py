"""The `task list` command: every task with its status at Lagrange, once or continuously."""

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

from app.cli import refuse, with_context
from app.cli.formatting import (
    colour,
    moment,
    period,
    short_id,
    text,
)
from app.context import Context
from app.errors import Temporary
from app.store import Store
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
_MIN_WIDTHS = {"TASK UUID": 9, "WALLET ADDRESS": 9, "SPACE UUID": 9, "REMAINING TIME": 9}
_NO_STATUS = MarketStatus(space_status="")
_WATCH_SECONDS = 2.0
_MAX_PADDED_WIDTH = 44
_OTHER_LINES = 4
_MAX_CELL_CHARACTERS = 200

Row = tuple[str, ...]


@click.command("list")
@click.option("-v", "--verbose", is_flag=True, help="Show full ids.")
@click.option("--watch", is_flag=True, help="Refresh every 2 seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_context
def list_(context: Context, *, verbose: bool, watch: bool, as_json: bool) -> None:
    """Show every task, the newest last.

    SPACE STATUS, RUNNING TIME, REMAINING TIME and REWARDS come from Lagrange and are at most a few
    minutes old; they are - if it sent none, and for tasks that are over.
    """
    if watch:
        _watch(context.store, verbose=verbose, as_json=as_json)
        return
    try:
        tasks, statuses = context.store.tasks(), context.store.market_statuses()
    except Temporary as error:
        refuse(error.message, code=1)
    if as_json:
        documents = [_document(task, statuses.get(task.id)) for task in tasks]
        click.echo(json.dumps(documents, indent=2))
        return
    rows = [row(task, statuses.get(task.id), verbose=verbose) for task in tasks]
    if sys.stdout.isatty():
        Console().print(_table(rows) if rows else NONE)
        return
    for line in plain(rows) if rows else [NONE]:
        click.echo(line)


def _document(task: Task, market: MarketStatus | None) -> dict[str, Any]:
    return {**task_json.summary(task), "lagrange": task_json.market(market)}


def row(task: Task, market: MarketStatus | None, *, verbose: bool) -> Row:
    """Return the cells of a task's row, in the order of `COLUMNS`."""
    status = market or _NO_STATUS
    name = text if verbose else short_id
    return (
        name(task.task_uuid or task.id),
        _kind(task.hardware),
        name(task.wallet),
        name(task.space_uuid),
        text(task.space_name),
        text(task.state),
        text(status.space_status),
        period(status.running_time),
        period(status.remaining_time),
        text(status.payment_amount),
    )


def _kind(hardware: str) -> str:
    """Return the kind of hardware, by its first part: `vCPU` is in every description."""
    if not hardware:
        return "-"
    return "CPU" if "CPU" in hardware.partition("·")[0].upper() else "GPU"


def plain(rows: list[Row]) -> Iterator[str]:
    """Yield the table as lines of any width: nothing is cut off."""
    lines = [COLUMNS, *rows]
    widths = [_width(cells) for cells in zip_longest(*lines, fillvalue="")]
    for line in lines:
        cells = (_pad(cell, width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _width(cells: tuple[str, ...]) -> int:
    """Return the width of a column: of its widest cell, not counting overlong ones."""
    return max(width for cell in cells if (width := cell_len(cell)) <= _MAX_PADDED_WIDTH)


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", min_width=_MIN_WIDTHS.get(column, 1))
    for cells in rows:
        styled = [Text(_clip(cell)) for cell in cells]
        styled[_STATUS].stylize(colour(cells[_STATUS]))
        table.add_row(*styled)
    return table


def _clip(cell: str) -> str:
    return cell if len(cell) <= _MAX_CELL_CHARACTERS else f"{cell[:_MAX_CELL_CHARACTERS]}…"


def _watch(store: Store, *, verbose: bool, as_json: bool) -> None:
    console = Console()
    if as_json or not console.is_terminal or console.is_dumb_terminal:
        raise click.UsageError("--watch needs a terminal and cannot be combined with --json")
    screen: Group | None = None
    with _until_interrupted(), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            failure = ""
            try:
                screen = _screen(console, store, verbose=verbose)
            except Temporary as error:
                failure = f"{moment(time.time())}  {text(error.message)}"
            parts = [*(screen.renderables if screen else ()), Text(failure, style="red")]
            live.update(Group(*parts), refresh=True)
            time.sleep(_WATCH_SECONDS)


def _screen(console: Console, store: Store, *, verbose: bool) -> Group:
    """Return a screen with as many of the newest tasks as fit."""
    statuses = store.market_statuses()
    rows = [row(task, statuses.get(task.id), verbose=verbose) for task in store.tasks()]
    count = max(1, console.height - _OTHER_LINES)
    while count > 1 and len(console.render_lines(_table(rows[-count:]))) > console.height - 2:
        count -= 1
    left_out = len(rows) - count
    earlier = f", {left_out} earlier ones are not shown" if left_out > 0 else ""
    head = Text(f"{moment(time.time())}  {len(rows)} tasks{earlier}", style="dim")
    return Group(head, _table(rows[-count:]) if rows else Text(NONE))


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """End the block quietly at Ctrl-C or SIGTERM, so that the terminal is restored."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, previous)
