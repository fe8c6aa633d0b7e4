"""Attack: whoever can write to Redis has workers run code.

RQ imports and calls what an entry names: a function, a method of an instance, callbacks, a webhook;
and takes commands from a channel. Each is tried against real workers. It fails because workers read
nothing of an entry but one function of a closed list and its one text, and listen to no channel.
"""

import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq.job import Job

from app.processes import rq_jobs, supervisor
from app.store import redis_keys, rq_queue
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually

TASK = "11111111-1111-4111-8111-111111111111"
QUEUE = "rq:queue:work"


@pytest.fixture
def connection(redis_url: str) -> Iterator[Any]:
    """The intruder's connection."""
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def worker(provider_folder: Path, simulated: SimulatedCluster) -> Iterator[None]:
    """A real worker of a provider."""
    environment = {
        **os.environ,
        "CP_PATH": str(provider_folder),
        "CP_CLUSTER_KUBECONFIG": str(simulated.kubeconfig),
    }
    process = supervisor.start(supervisor.own("worker"), environment)
    yield
    assert process.poll() is None, "the worker died"
    supervisor.end(process, 10)


def push(connection: Any, name: str, call: Any, **fields: str | bytes) -> None:
    """Write an entry as RQ would, and put it on the queue."""
    data = zlib.compress(json.dumps(call).encode())
    times = dict.fromkeys(("created_at", "enqueued_at"), "2026-11-28T00:00:00.000000Z")
    content = {"data": data, "origin": "work", "status": "queued", "timeout": "60", **times}
    connection.sadd("rq:queues", QUEUE)
    connection.hset(Job.key_for(name), mapping=content | fields)
    connection.rpush(QUEUE, name)


def refused(connection: Any) -> int:
    """Return how many entries were refused."""
    return int(connection.hget(redis_keys.METRICS, rq_queue.REFUSED) or 0)


def is_worked_off(connection: Any) -> bool:
    """Tell whether a worker has taken everything."""
    return not connection.llen(QUEUE) and not connection.llen(f"{QUEUE}:intermediate")


def test_functions_and_arguments(connection: Any, worker: None, tmp_path: Path) -> None:
    """Only a function of the list runs, and only with one text."""
    assert worker is None
    target = tmp_path / "pwned"
    shell = f"id > {target}"
    calls: list[Any] = [
        ["subprocess.getoutput", None, [shell], {}],
        ["os.system", None, [shell], {}],
        ["builtins.eval", None, [f"open({str(target)!r}, 'w')"], {}],
        ["pathlib.Path.touch", None, [str(target)], {}],
        ["write_text", "pathlib.Path", [str(target)], {}],
        [rq_queue.ADVANCE, {"py/object": "os.system"}, [shell], {}],
        [f"{rq_queue.ADVANCE}.__globals__", None, [shell], {}],
        ["app.processes.rq_jobs._tried", None, ["x", "y"], {}],
        ["app.processes.rq_jobs.prepare", None, [], {}],
        [rq_queue.ADVANCE, None, [TASK, "more"], {}],
        [rq_queue.ADVANCE, None, [{"a": 1}], {}],
        [rq_queue.ADVANCE, None, [TASK], {"task_id": shell}],
        [rq_queue.ADVANCE, None, ["x" * 100_000], {}],
        {"func_name": "os.system"},
        "os.system",
    ]
    for number, call in enumerate(calls):
        push(connection, f"attack-{number}", call)
    eventually("all are dropped", lambda: refused(connection) == len(calls))
    eventually("the queue is empty", lambda: is_worked_off(connection))
    assert not target.exists()
    assert not [*connection.scan_iter(match="rq:job:attack-*")]


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"[1", zlib.compress(b"[" * 50_000)])
def test_what_is_no_call(connection: Any, worker: None, content: bytes) -> None:
    """Pickles, halves of JSON and bombs are dropped, and the worker goes on."""
    assert worker is None
    connection.sadd("rq:queues", QUEUE)
    connection.hset(Job.key_for("broken"), mapping={"data": content, "ttl": "x", "status": "?"})
    connection.rpush(QUEUE, "broken")
    eventually("it is dropped", lambda: refused(connection) == 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"success_callback_name": "os.system"},
        {"failure_callback_name": "subprocess.getoutput"},
        {"stopped_callback_name": "os.system"},
        {"repeats_left": "1000", "repeat_intervals": "[0]"},
        {"webhooks": json.dumps([{"url": "http://127.0.0.1:1/", "job_status": "finished"}])},
    ],
)
def test_callbacks_and_webhooks(connection: Any, fields: dict[str, str]) -> None:
    """An entry that is ours otherwise runs without what was added to it."""
    push(connection, "decorated", [rq_queue.ADVANCE, None, [TASK], {}], **fields)
    [job] = rq_queue.queue_on(connection).jobs
    assert (job.func_name, job.args) == (rq_queue.ADVANCE, [TASK])
    assert job.success_callback is None
    assert job.failure_callback is None
    assert job.stopped_callback is None
    assert job.webhooks == []
    assert job.repeats_left is None


def test_an_endless_timeout_is_not_believed(connection: Any) -> None:
    """How long an entry may run and stay is not what Redis says."""
    push(connection, "endless", [rq_queue.ADVANCE, None, [TASK], {}], timeout="-1")
    [job] = rq_queue.queue_on(connection).jobs
    assert job.timeout == rq_queue.JOB_TIMEOUT_SECONDS


def test_commands(connection: Any, worker: None) -> None:
    """No worker listens to commands; an entry after them is worked off."""
    assert worker is None
    eventually("the worker is there", lambda: connection.smembers("rq:workers"))
    [name] = [member.decode().rpartition(":")[2] for member in connection.smembers("rq:workers")]
    for command in ("kill-horse", "shutdown", "stop-job"):
        heard = connection.publish(f"rq:pubsub:{name}", json.dumps({"command": command}))
        assert heard == 0
    for entry in rq_queue.entry(TASK):
        connection.execute_command(*entry)
    eventually("the entry is worked off", lambda: is_worked_off(connection))
    time.sleep(0.5)


def test_the_list_is_what_there_is(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function of the list is there to be called; without its name it is not called."""
    for function in rq_queue.FUNCTIONS:
        module, _, name = function.rpartition(".")
        assert module == rq_jobs.__name__
        assert callable(getattr(rq_jobs, name))
    for command in rq_queue.entry(TASK):
        connection.execute_command(*command)
    assert len(rq_queue.queue_on(connection).jobs) == 1
    monkeypatch.setattr(rq_queue, "FUNCTIONS", rq_queue.FUNCTIONS - {rq_queue.ADVANCE})
    assert rq_queue.queue_on(connection).jobs == []
    assert refused(connection) == 1
