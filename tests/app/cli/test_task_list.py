"""Tests of `task list`: on a terminal, in a pipe, and with hostile records."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result
from msgspec.structs import replace

from app.cli import main, task_list
from app.store import Store, redis_keys
from app.store.job_data import JobData
from app.store.records import MarketStatus, Reason, State, Task
from app.tasks import transitions
from tests.support import market, redis_clients
from tests.support.documents import ROOT
from tests.support.terminal import terminal

WALLET = "0x" + "ab" * 20
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
HOSTILE = "\x1b]0;title\x07[red]x\u202e\x9b2J\n\ud7ff日本語 שלום" + "y" * 3000


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def save_task(
    connection: redis.Redis, status: MarketStatus | None = None, **fields: object
) -> Task:
    """Save and return a task with these fields, and its status at Lagrange."""
    job = msgspec.convert(market.job(), JobData)
    change = transitions.accepted(
        job, host="x.cp.example.com", now=time.time(), start_timeout_seconds=3600
    )
    task = replace(change.after, **fields)
    Store(connection).commit(replace(change, after=task, guards=()))
    if status:
        connection.hset(redis_keys.MARKET, task.id, msgspec.json.encode(status))
    return task


def run(folder: Path, *arguments: str) -> Result:
    """Run `task list`."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "task", "list", *arguments])


def test_the_columns(provider_folder: Path, connection: redis.Redis) -> None:
    """They are those of v0.3.0, with the status from Lagrange if there is one."""
    status = MarketStatus(
        space_status="Running", payment_amount="12.5", running_time="400", remaining_time="n/a"
    )
    task = save_task(
        connection,
        status,
        wallet=WALLET,
        hardware="CPU only · 2 vCPU · 4 GiB",
        space_name="visitors",
        state=State.RUNNING,
    )
    head, line = run(provider_folder, "-v").stdout.splitlines()
    cells = (task.task_uuid, "CPU", WALLET, task.space_uuid, "visitors", "running")
    assert [title.strip() for title in head.split("  ") if title] == list(COLUMNS)
    assert line.split() == [*cells, "Running", "0:06:40", "n/a", "12.5"]


def test_ids_are_shortened(provider_folder: Path, connection: redis.Redis) -> None:
    """Without -v ids are cut to their first characters; a missing status is `-`."""
    task = save_task(connection, wallet=WALLET, hardware="Nvidia A4000 · 4 vCPU · 32 GiB")
    _, line = run(provider_folder).stdout.splitlines()
    short = [f"{identifier[:8]}…" for identifier in (task.task_uuid, WALLET, task.space_uuid)]
    assert line.split() == [short[0], "GPU", short[1], short[2], "-", "accepted", *"----"]


def test_json(provider_folder: Path, connection: redis.Redis) -> None:
    """JSON has whole values, and the status from Lagrange."""
    save_task(connection, MarketStatus(space_status="Running"), space_name=HOSTILE)
    save_task(connection)
    first, second = json.loads(run(provider_folder, "--json").stdout)
    assert first["space_name"] == HOSTILE
    assert first["lagrange"]["space_status"] == "Running"
    assert second["lagrange"] is None


def test_nothing_yet(provider_folder: Path) -> None:
    """Without tasks there is a hint, and JSON is an empty list."""
    assert run(provider_folder).stdout == task_list.NONE + "\n"
    assert json.loads(run(provider_folder, "--json").stdout) == []


def test_redis_away(tmp_path: Path) -> None:
    """Without Redis it exits with 1 and one line."""
    (tmp_path / "config.toml").write_text(market.configuration("redis://127.0.0.1:1"))
    result = run(tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "Redis does not answer" in result.stderr


def test_hostile_words_in_a_pipe(provider_folder: Path, connection: redis.Redis) -> None:
    """Piped output is whole, has a line for each task, and no control characters."""
    save_task(connection, space_name=HOSTILE)
    save_task(connection, space_name="plain")
    text = run(provider_folder).stdout
    assert len(text.splitlines()) == 3
    assert "[red]x" in text
    assert "y" * 3000 in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()[2]) < 200


def test_a_narrow_pipe(
    provider_folder: Path, connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COLUMNS does not truncate piped output."""
    task = save_task(connection)
    monkeypatch.setenv("COLUMNS", "10")
    assert task.task_uuid in run(provider_folder, "-v").stdout


def test_a_pipe_that_closes(provider_folder: Path, connection: redis.Redis) -> None:
    """`| head` ends it without a traceback."""
    for _ in range(3):
        save_task(connection, space_name="y" * 90_000)
    command = f"{sys.executable} -m app.cli --cp-repo {provider_folder} task list | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("TASK UUID ", "")


def test_a_limited_encoding(provider_folder: Path, connection: redis.Redis) -> None:
    """Characters that the terminal's encoding lacks are replaced."""
    save_task(connection, space_name="日本語")
    environment = {**os.environ, "PYTHONIOENCODING": "iso8859-1"}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "--cp-repo", str(provider_folder), "task", "list"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"???" in done.stdout


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_colours(
    provider_folder: Path, connection: redis.Redis, no_color: str, *, is_coloured: bool
) -> None:
    """On a terminal the state has its colour, unless NO_COLOR is set."""
    save_task(connection, state=State.FAILED, reason=Reason("x", "y"))
    environment = {"NO_COLOR": no_color} if no_color else {}
    with terminal(
        "--cp-repo", str(provider_folder), "task", "list", environment=environment
    ) as screen:
        screen.wait_for("failed")
        assert screen.end() == 0
    assert ("\x1b[31m" in screen.written) is is_coloured


@pytest.mark.parametrize("columns", [1, 5, 20, 60])
@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_a_narrow_terminal(
    provider_folder: Path, connection: redis.Redis, columns: int, verbose: list[str]
) -> None:
    """The list is shown however narrow the terminal and however hostile a name."""
    save_task(connection, space_name=HOSTILE)
    options = ("--cp-repo", str(provider_folder))
    with terminal(*options, "task", "list", *verbose, columns=columns) as screen:
        assert screen.end() == 0
    assert "Traceback" not in screen.text
    assert "\x1b]0" not in screen.written


def test_watch(provider_folder: Path, connection: redis.Redis) -> None:
    """It shows new tasks, survives an outage of Redis, and restores the terminal at Ctrl-C."""
    save_task(connection, space_name="first")
    other_clients = redis_clients.known(connection)
    with terminal("--cp-repo", str(provider_folder), "task", "list", "--watch") as screen:
        screen.wait_for("first")
        save_task(connection, space_name="second")
        screen.wait_for("second")
        connection.config_set("requirepass", "x")
        try:
            redis_clients.cut_off(connection, other_clients)
            screen.wait_for("Redis does not answer")
            assert screen.text.rpartition("Redis does not answer")[0].count("second") > 1
        finally:
            connection.config_set("requirepass", "")
        screen.type("\x03")
        assert screen.end() == 0
    assert "\x1b[?1049h" in screen.written
    assert screen.written.rpartition("\x1b[?1049l")[1]
    assert screen.written.rpartition("\x1b[?25h")[1]
    assert "Traceback" not in screen.text


def test_watch_a_long_list(provider_folder: Path, connection: redis.Redis) -> None:
    """Only the newest tasks that fit are shown; SIGTERM ends it too."""
    for number in range(30):
        save_task(connection, space_name=f"space-{number}")
    options = ("--cp-repo", str(provider_folder))
    with terminal(*options, "task", "list", "--watch", rows=12, columns=140) as screen:
        screen.wait_for("space-29")
        assert "earlier ones are not shown" in screen.text
        assert "space-0 " not in screen.text
        screen.process.send_signal(signal.SIGTERM)
        assert screen.end() == 0
    assert screen.written.rpartition("\x1b[?1049l")[1]


def test_watch_needs_a_terminal(provider_folder: Path) -> None:
    """Without a terminal, or with --json, it is refused with 2."""
    result = run(provider_folder, "--watch")
    assert result.exit_code == 2
    assert "--watch needs a terminal" in result.stderr
