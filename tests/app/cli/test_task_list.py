"""`task list`: on a terminal, in a pipe, and whatever is remembered."""

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
from app.store.records import (
    JobData,
    MarketStatus,
    Reason,
    State,
    Task,
)
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
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def remembered(connection: redis.Redis, said: MarketStatus | None = None, **fields: object) -> Task:
    """Return a task of which the store knows these fields, and Lagrange what it said."""
    job = msgspec.convert(market.job(), JobData)
    change = transitions.accepted(
        job, host="x.cp.example.com", now=time.time(), start_timeout_seconds=3600
    )
    task = replace(change.after, **fields)
    Store(connection).commit(replace(change, after=task, guards=()))
    if said:
        connection.hset(redis_keys.MARKET, task.id, msgspec.json.encode(said))
    return task


def listed(folder: Path, *arguments: str) -> Result:
    """Call `task list`."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "task", "list", *arguments])


def test_the_columns(provider_folder: Path, connection: redis.Redis) -> None:
    """They are those of v0.3.0, with Lagrange's words where it said any."""
    said = MarketStatus(
        space_status="Running", payment_amount="12.5", running_time="400", remaining_time="n/a"
    )
    task = remembered(
        connection,
        said,
        wallet=WALLET,
        hardware="CPU only · 2 vCPU · 4 GiB",
        space_name="visitors",
        state=State.RUNNING,
    )
    head, line = listed(provider_folder, "-v").stdout.splitlines()
    cells = (task.task_uuid, "CPU", WALLET, task.space_uuid, "visitors", "running")
    assert [one.strip() for one in head.split("  ") if one] == list(COLUMNS)
    assert line.split() == [*cells, "Running", "0:06:40", "n/a", "12.5"]


def test_ids_are_shortened(provider_folder: Path, connection: redis.Redis) -> None:
    """Without -v ids are told by their beginnings; what Lagrange did not say is `-`."""
    task = remembered(connection, wallet=WALLET, hardware="Nvidia A4000 · 4 vCPU · 32 GiB")
    _, line = listed(provider_folder).stdout.splitlines()
    short = [f"{one[:8]}…" for one in (task.task_uuid, WALLET, task.space_uuid)]
    assert line.split() == [short[0], "GPU", short[1], short[2], "-", "accepted", *"----"]


def test_json(provider_folder: Path, connection: redis.Redis) -> None:
    """JSON has whole values, and what Lagrange said."""
    remembered(connection, MarketStatus(space_status="Running"), space_name=HOSTILE)
    remembered(connection)
    first, second = json.loads(listed(provider_folder, "--json").stdout)
    assert first["space_name"] == HOSTILE
    assert first["lagrange"]["space_status"] == "Running"
    assert second["lagrange"] is None


def test_nothing_yet(provider_folder: Path) -> None:
    """Without tasks it says so, and JSON is an empty list."""
    assert listed(provider_folder).stdout == task_list.NONE + "\n"
    assert json.loads(listed(provider_folder, "--json").stdout) == []


def test_redis_away(tmp_path: Path) -> None:
    """Without Redis it ends with 1 and one line."""
    (tmp_path / "config.toml").write_text(market.configuration("redis://127.0.0.1:1"))
    result = listed(tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "Redis does not answer" in result.stderr


def test_hostile_words_in_a_pipe(provider_folder: Path, connection: redis.Redis) -> None:
    """Piped output is whole, a line for each task, and commands no terminal."""
    remembered(connection, space_name=HOSTILE)
    remembered(connection, space_name="plain")
    text = listed(provider_folder).stdout
    assert len(text.splitlines()) == 3
    assert "[red]x" in text
    assert "y" * 3000 in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()[2]) < 200


def test_a_narrow_pipe(
    provider_folder: Path, connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COLUMNS does not cut off what is piped."""
    task = remembered(connection)
    monkeypatch.setenv("COLUMNS", "10")
    assert task.task_uuid in listed(provider_folder, "-v").stdout


def test_a_pipe_that_closes(provider_folder: Path, connection: redis.Redis) -> None:
    """`| head` ends it without a traceback."""
    for _ in range(3):
        remembered(connection, space_name="y" * 90_000)
    command = f"{sys.executable} -m app.cli --cp-repo {provider_folder} task list | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("TASK UUID ", "")


def test_an_encoding_that_cannot_say_it(provider_folder: Path, connection: redis.Redis) -> None:
    """What the terminal's encoding lacks is replaced."""
    remembered(connection, space_name="日本語")
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
    remembered(connection, state=State.FAILED, reason=Reason("x", "y"))
    environment = {"NO_COLOR": no_color} if no_color else {}
    with terminal(
        "--cp-repo", str(provider_folder), "task", "list", environment=environment
    ) as shown:
        shown.wait_for("failed")
        assert shown.end() == 0
    assert ("\x1b[31m" in shown.written) is is_coloured


@pytest.mark.parametrize("columns", [1, 5, 20, 60])
@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_a_narrow_terminal(
    provider_folder: Path, connection: redis.Redis, columns: int, verbose: list[str]
) -> None:
    """However narrow the terminal and hostile a name is, it is shown."""
    remembered(connection, space_name=HOSTILE)
    where = ("--cp-repo", str(provider_folder))
    with terminal(*where, "task", "list", *verbose, columns=columns) as shown:
        assert shown.end() == 0
    assert "Traceback" not in shown.text
    assert "\x1b]0" not in shown.written


def test_watch(provider_folder: Path, connection: redis.Redis) -> None:
    """It shows what is new, outlives Redis, and leaves the terminal as it was at Ctrl-C."""
    remembered(connection, space_name="first")
    others = redis_clients.known(connection)
    with terminal("--cp-repo", str(provider_folder), "task", "list", "--watch") as shown:
        shown.wait_for("first")
        remembered(connection, space_name="second")
        shown.wait_for("second")
        connection.config_set("requirepass", "x")
        try:
            redis_clients.cut_off(connection, others)
            shown.wait_for("Redis does not answer")
            assert shown.text.rpartition("Redis does not answer")[0].count("second") > 1
        finally:
            connection.config_set("requirepass", "")
        shown.type("\x03")
        assert shown.end() == 0
    assert "\x1b[?1049h" in shown.written
    assert shown.written.rpartition("\x1b[?1049l")[1]
    assert shown.written.rpartition("\x1b[?25h")[1]
    assert "Traceback" not in shown.text


def test_watch_a_long_list(provider_folder: Path, connection: redis.Redis) -> None:
    """Of more tasks than there is room for the newest are shown; SIGTERM ends it too."""
    for number in range(30):
        remembered(connection, space_name=f"space-{number}")
    where = ("--cp-repo", str(provider_folder))
    with terminal(*where, "task", "list", "--watch", rows=12, columns=140) as shown:
        shown.wait_for("space-29")
        assert "earlier ones are not shown" in shown.text
        assert "space-0 " not in shown.text
        shown.process.send_signal(signal.SIGTERM)
        assert shown.end() == 0
    assert shown.written.rpartition("\x1b[?1049l")[1]


def test_watch_needs_a_terminal(provider_folder: Path) -> None:
    """Without a terminal, or with --json, it is refused with 2."""
    result = listed(provider_folder, "--watch")
    assert result.exit_code == 2
    assert "--watch needs a terminal" in result.stderr
