"""Tests of `task get`, `task delete` and `task redeliver`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result
from msgspec.structs import replace

from app.cli import main
from app.store import Store, redis_keys
from app.store.job_data import JobData
from app.store.records import Callback, MarketStatus, PodSummaries, PodSummary, Reason, State, Task
from app.tasks import transitions
from tests.support import market
from tests.support.terminal import terminal


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def task(connection: redis.Redis) -> Task:
    """A task that failed, with a callback that was parked."""
    job = msgspec.convert(market.job(), JobData)
    store = Store(connection)
    change = transitions.accepted(
        job, host="x.cp.example.com", now=time.time(), start_timeout_seconds=3600
    )
    store.commit(change)
    before = store.get(job.uuid)
    assert before
    reason = Reason("image_pull", "\x1b[31mno such image")
    store.commit(transitions.troubled(before, reason, now=time.time()))
    parked = Callback(
        sequence=1,
        status="failed",
        reason=str(reason),
        timestamp=time.time(),
        message_id="m",
        state="parked",
        attempts=7,
        last_error="Lagrange answered 410",
    )
    connection.hset(redis_keys.callbacks(job.uuid), "1", msgspec.json.encode(parked))
    failed = store.get(job.uuid)
    assert failed
    return failed


def run(folder: Path, *arguments: str) -> Result:
    """Run `task`."""
    return CliRunner().invoke(main, ["--cp-repo", str(folder), "task", *arguments])


def test_get(provider_folder: Path, connection: redis.Redis, task: Task) -> None:
    """It shows the task, its events, its pods as last seen by the watcher, and each delivery."""
    pod = PodSummary(
        name="web-1", phase="Pending", restarts=3, node="n1", reason="ImagePullBackOff"
    )
    connection.set(redis_keys.pods(task.id), msgspec.json.encode(PodSummaries(at=1, pods=(pod,))))
    status = MarketStatus(space_status="Running", remaining_time="60", at=time.time())
    connection.hset(redis_keys.MARKET, task.id, msgspec.json.encode(status))
    connection.set(redis_keys.INVENTORY, "{}")
    result = run(provider_folder, "get", task.space_uuid.upper())
    assert result.exit_code == 0
    lines = {line.split(maxsplit=1)[0]: line.split() for line in result.stdout.splitlines() if line}
    assert lines["job"] == ["job", task.id]
    assert lines["state"] == ["state", "failed"]
    assert "remaining 0:01:00" in result.stdout
    pods = ["web-1", "Pending", "not", "ready", "3", "restarts", "n1", "ImagePullBackOff"]
    assert lines["web-1"] == pods
    assert lines["1"][:2] == ["1", "failed"]
    for words in ("parked", "7 attempts", "Lagrange answered 410", "accepted", "\npods\n"):
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_get_json(provider_folder: Path, connection: redis.Redis, task: Task) -> None:
    """JSON has the same, with every part even if it is empty."""
    assert connection
    document = json.loads(run(provider_folder, "get", task.id, "--json").stdout)
    assert document["job_uuid"] == task.id
    assert document["pods"] == []
    assert document["lagrange"] is None
    assert [event["what"] for event in document["events"]] == ["accepted", "failed"]
    assert document["callbacks"][0]["delivery"] == "parked"


def test_pods_of_a_watcher_that_is_gone(
    provider_folder: Path, connection: redis.Redis, task: Task
) -> None:
    """Without a watcher the pods are shown as those of its last run."""
    assert connection
    assert "pods, when a watcher last ran" in run(provider_folder, "get", task.id).stdout


@pytest.mark.parametrize("command", ["get", "delete", "redeliver"])
def test_no_such_task(provider_folder: Path, command: str) -> None:
    """It exits with 1 and a line with the remedy."""
    result = run(provider_folder, command, "\x1b[2J")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "`task list -v` shows all" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("command", [["get"], ["delete", "--yes"], ["redeliver"]])
def test_redis_away(tmp_path: Path, command: list[str]) -> None:
    """Without Redis it exits with 1 and one line."""
    (tmp_path / "config.toml").write_text(market.configuration("redis://127.0.0.1:1"))
    result = run(tmp_path, *command, "x")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "Redis does not answer" in result.stderr


def test_a_wrong_configuration(tmp_path: Path) -> None:
    """An invalid configuration is refused with 2, before anything is read."""
    (tmp_path / "config.toml").write_text("[API]\nDomian = 1\n")
    result = run(tmp_path, "get", "x")
    assert result.exit_code == 2
    assert "did you mean Domain?" in result.stderr


def test_delete(provider_folder: Path, connection: redis.Redis, task: Task) -> None:
    """It ends the task as a signed termination does and calls a worker, once."""
    result = run(provider_folder, "delete", task.id, "--yes")
    assert result.exit_code == 0
    ending = Store(connection).get(task.id)
    assert ending
    assert (ending.state, ending.outcome) == (State.TERMINATING, State.TERMINATED)
    assert ending.reason
    assert ending.reason.category == "deleted"
    assert connection.zscore(redis_keys.PENDING, task.id)
    again = run(provider_folder, "delete", task.id, "--yes")
    assert (again.exit_code, again.stdout) == (0, f"task {task.id} is already terminating\n")
    after = Store(connection).get(task.id)
    assert after
    assert after.version == ending.version


def test_delete_without_a_terminal(
    provider_folder: Path, connection: redis.Redis, task: Task
) -> None:
    """Without a terminal and without --yes nothing is done, and the error names --yes."""
    result = run(provider_folder, "delete", task.id)
    assert result.exit_code == 2
    assert "use --yes" in result.stderr
    assert Store(connection).get(task.id) == task


@pytest.mark.parametrize(("answer", "code"), [("y\r", 0), ("n\r", 1), ("\r", 1), ("\x04", 1)])
def test_delete_asks(
    provider_folder: Path, connection: redis.Redis, task: Task, answer: str, code: int
) -> None:
    """On a terminal it asks; any answer but yes leaves the task alone."""
    with terminal("--cp-repo", str(provider_folder), "task", "delete", task.id) as screen:
        screen.wait_for("[y/N]")
        screen.type(answer)
        assert screen.end() == code
    current = Store(connection).get(task.id)
    assert current
    assert current.stopping is (code == 0)


def test_delete_of_an_unreadable_record(
    provider_folder: Path, connection: redis.Redis, task: Task
) -> None:
    """A record of another version is shown, and left unchanged."""
    record = json.loads(msgspec.json.encode(replace(task))) | {"state": "paused"}
    connection.hset(redis_keys.task(task.id), "record", json.dumps(record))
    output = run(provider_folder, "get", task.id).stdout
    assert task.id in output
    assert "unreadable" in output
    result = run(provider_folder, "delete", task.id, "--yes")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "another version" in result.stderr


@pytest.mark.parametrize("command", [["list"], ["get", "x"], ["delete", "x", "--yes"]])
def test_an_invalid_redis_url(tmp_path: Path, command: list[str]) -> None:
    """An invalid RedisUrl is refused with 2, and not shown."""
    (tmp_path / "config.toml").write_text(market.configuration("http://u:geheim@x"))
    result = run(tmp_path, *command)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "[API] RedisUrl" in result.stderr
    assert "geheim" not in result.stderr
