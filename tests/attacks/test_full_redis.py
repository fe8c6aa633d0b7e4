"""Attack: tenants fill Redis, and then nobody can end anything.

Tried with endless build logs, revisions with large files, host names and flapping workloads; and
with a real Redis that is filled to its limit while tasks have to end. It fails because everything
that a tenant causes has a bound, new jobs are refused before the limit, and what ends tasks needs
no free memory.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from redis.exceptions import OutOfMemoryError

from app.cli import main
from app.context import Context, open_context
from app.demo import local_redis
from app.store import budget, build_log, redis_keys
from app.store.build_log import BuildLog
from app.store.container_log_stream import Addition, Writer
from app.store.records import Callback, Fallback, Reason, State, Task
from app.tasks import deadlines, transitions
from tests.support import market, simulated_cluster
from tests.support.held_tasks import end, held
from tests.support.problem_documents import problem
from tests.support.provider import running
from tests.support.spaces import SPACE
from tests.support.waiting import eventually
from tests.support.web_server import Web, serving

LIMIT_BYTES = 20 << 20
WORKLOAD = b'"' + b"x" * 1_300_000 + b'"'
NEVER = -1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Context]:
    """A provider with a Redis of its own, of 20 MiB."""
    with local_redis.server() as url:
        (tmp_path / "config.toml").write_text(market.configuration(url))
        context = open_context(str(tmp_path))
        context.redis.config_set("maxmemory", LIMIT_BYTES)
        context.redis.config_set("maxmemory-policy", "noeviction")
        yield context
        context.redis.close()


@pytest.fixture
def small_web(small: Context) -> Iterator[Web]:
    """Its process `web`."""
    with serving(small) as web:
        yield web


def fill(connection: Any) -> None:
    """Write until Redis refuses; what its own buffers take and give back makes no difference."""
    with suppress(OutOfMemoryError):
        while True:
            connection.rpush("filler", b"x" * 100_000)
    connection.config_set("maxmemory", min(LIMIT_BYTES, used(connection) - 100_000))
    with pytest.raises(OutOfMemoryError):
        connection.set("more", "x")


def assigned(web: Web) -> dict[str, Any]:
    """Return a job that was accepted."""
    data = market.job()
    assert web.webhook("job.assigned", data).status == 202
    return data


def deploy(context: Context, data: dict[str, Any], **facts: Any) -> Task:
    """Let the wanted revision of a task have a workload."""
    change = transitions.deploying(
        held(context, data),
        now=time.time(),
        workload=WORKLOAD,
        demands=b"[]",
        guards=(),
        notes=(),
        **facts,
    )
    context.store.commit(change)
    return held(context, data)


def used(connection: Any) -> int:
    """Return the bytes of memory in use."""
    return int(connection.info("memory")["used_memory"])


def size(connection: Any, key: str | bytes) -> int:
    """Return the bytes of memory that a key takes."""
    return int(connection.memory_usage(key, samples=0) or 0)


@pytest.mark.parametrize("line", ["x" * 100, "", "x" * 100_000])
def test_endless_build_logs(context: Context, line: str) -> None:
    """A build that prints without end leaves its last MiB, for a day after the task's end."""
    log = BuildLog(context.redis, "task")
    for _ in range(min(200_000, (20 << 20) // (len(line) + 1))):
        log.tell(line)
    log.end()
    assert size(context.redis, redis_keys.build_log("task")) < 1.3 * build_log.MAX_BYTES


def test_many_build_logs(context: Context) -> None:
    """All logs together have a bound; the oldest go first."""
    for number in range(80):
        log = BuildLog(context.redis, f"task-{number:02}")
        for _ in range(64):
            log.tell("x" * build_log.MAX_LINE_BYTES)
        log.end()
    assert budget.trim_build_logs(context.redis) > 0
    kept = sorted(context.redis.scan_iter(match=redis_keys.build_log("*")))
    assert sum(size(context.redis, key) for key in kept) <= budget.BUILD_LOGS_MAX_BYTES
    assert 50 <= len(kept) < 70
    assert kept[-1] == redis_keys.build_log("task-79").encode()
    assert budget.trim_build_logs(context.redis) == 0


def test_revisions(context: Context, web: Web) -> None:
    """However often a job is redeployed, two workloads are there at most; none after its end."""
    data = assigned(web)
    for revision in range(1, 12):
        deploy(context, data)
        if revision == 1:
            context.store.commit(transitions.running(held(context, data), now=time.time()))
        workloads = [*context.redis.scan_iter(match=f"cp:workload:{data['uuid']}:*")]
        assert len(workloads) <= 2
        assert web.webhook("job.redeployed", data).status == 202
    reason = Reason("x", "y")
    stopping = transitions.stopping(held(context, data), State.FAILED, reason, now=time.time())
    context.store.commit(stopping)
    assert not [*context.redis.scan_iter(match="cp:workload:*")]


def test_a_rollback_finds_its_workload(context: Context, web: Web) -> None:
    """The revision that serves keeps its workload until another one does."""
    data = assigned(web)
    deploy(context, data)
    context.store.commit(transitions.running(held(context, data), now=time.time()))
    assert web.webhook("job.redeployed", data).status == 202
    task = deploy(context, data)
    assert task.fallback == Fallback(task.id, 1)
    context.store.commit(transitions.rolled_back(task, Reason("x", "y"), now=time.time()))
    keys = [*context.redis.scan_iter(match="cp:workload:*")]
    assert keys == [redis_keys.workload(task.id, 1).encode()]


def test_of_an_ended_task(context: Context, web: Web) -> None:
    """Its record, timeline and callbacks stay for 30 days; everything else ends within a day."""
    data = assigned(web)
    task = deploy(context, data)
    log = BuildLog(context.redis, task.id)
    log.tell("line")
    log.end()
    context.redis.hset(redis_keys.HOSTS, "shop.example.org", task.id)
    context.redis.set(redis_keys.pods(task.id), b"{}")
    end(context, data)
    log.end()
    assert budget.release_hosts(context.redis) == 1
    lasting = {
        key.decode()
        for key in context.redis.scan_iter(match=f"*{task.id}*")
        if context.redis.ttl(key) == NEVER
    }
    names = redis_keys.task, redis_keys.timeline, redis_keys.callbacks
    assert lasting == {name(task.id) for name in names}
    assert 0 < context.redis.ttl(redis_keys.build_log(task.id)) <= 86_400
    assert not context.redis.exists(redis_keys.HOSTS)


def test_texts(context: Context, web: Web) -> None:
    """A reason and a warning are of a bounded length, and a timeline of a bounded number."""
    data = assigned(web)
    long = Reason("x", "y" * 1_000_000)
    context.store.commit(transitions.troubled(held(context, data), long, now=time.time()))
    change = transitions.renewed(held(context, data), seconds=1, now=time.time())
    entry = replace(change.happenings[0], detail="z" * 100_000)
    context.store.commit(replace(change, happenings=(entry,) * 2000))
    task_id = data["uuid"]
    assert context.redis.llen(redis_keys.timeline(task_id)) == 500
    for key in (redis_keys.task, redis_keys.callbacks):
        assert size(context.redis, key(task_id)) < 20_000
    assert size(context.redis, redis_keys.timeline(task_id)) < 700_000


async def test_flapping(context: Context) -> None:
    """Of the callbacks of a workload that comes and goes, the last ones are kept."""
    store = Context(context.folder, context.config).async_store
    for number in range(1, 1201):
        callback = Callback(
            sequence=number,
            status="running",
            reason="",
            timestamp=0,
            message_id=f"c{number}",
            state="delivered",
        )
        key = redis_keys.callbacks("task")
        context.redis.hset(key, str(number), msgspec.json.encode(callback))
        await store.save_callback("task", callback, counter="callbacks:delivered")
    kept = [callback.sequence for callback in await store.callbacks("task")]
    assert kept == [*range(1101, 1201)]
    await store.close()


def test_new_jobs_are_refused_first(small: Context, small_web: Web) -> None:
    """Above the mark new jobs and redeploys are refused; everything else goes on."""
    data, doomed = assigned(small_web), assigned(small_web)
    message = market.signed("job.assigned", market.job())
    assert small_web.send(message).status == 202
    log = BuildLog(small.redis, data["uuid"])
    log.tell("line")
    log.end()
    assert not budget.mark_full(small.redis)
    while used(small.redis) < LIMIT_BYTES * 0.85:
        small.redis.rpush("filler", b"x" * 100_000)
    assert budget.mark_full(small.redis)
    for event, body in (("job.assigned", market.job()), ("job.redeployed", data)):
        answer = small_web.webhook(event, body)
        assert problem(answer) == (503, "redis_full")
        assert int(answer.headers["retry-after"]) > 0
    assert small_web.send(message).status == 202, "the same message again"
    renewal = {"job_uuid": data["uuid"], "duration": 60}
    assert small_web.webhook("job.renewed", renewal).status == 202
    assert small_web.webhook("job.terminated", {"job_uuid": doomed["uuid"]}).status == 202
    readiness = small_web.call("GET", "/readyz")
    assert readiness.status == 200
    assert b"new jobs are refused" in readiness.body
    assert budget.trim_build_logs(small.redis) == 1
    small.redis.delete("filler")
    assert not budget.mark_full(small.redis)
    assert small_web.webhook("job.assigned", market.job()).status == 202
    assert small_web.call("GET", "/readyz").body == b"ready\n"


def test_container_logs_make_room(context: Context) -> None:
    """The streams of watched logs shrink while Redis is almost full."""
    writer = Writer(context.redis)
    writer.lease("task")
    lines = Addition(task_id="task", lines=b"x" * 99_999 + b"\n", key="u/web")
    writer.append([lines] * 40)
    assert size(context.redis, redis_keys.log("task")) > 1.9 * (1 << 20)
    context.redis.set(redis_keys.FULL, "80")
    writer.append([lines])
    assert size(context.redis, redis_keys.log("task")) < 300_000


def test_everything_ends_at_the_limit(small: Context, small_web: Web) -> None:
    """With no byte left: a signed termination, an expiry, `task delete`, and ends themselves."""
    jobs = [assigned(small_web) for _ in range(4)]
    terminated, expired, deleted, failed = jobs
    for data in jobs:
        deploy(small, data)
    due = replace(held(small, expired), expires_at=time.time() - 1)
    running = transitions.running(held(small, expired), now=time.time())
    small.store.commit(replace(running, after=replace(running.after, expires_at=due.expires_at)))
    fill(small.redis)
    for event, data in (("job.assigned", market.job()), ("job.redeployed", failed)):
        assert small_web.webhook(event, data).status == 503
    message = market.signed("job.terminated", {"job_uuid": terminated["uuid"]})
    answer = small_web.send(message)
    assert answer.status == 202
    assert held(small, terminated).stopping
    fill(small.redis)
    assert small_web.send(message).body == answer.body, "the same message again"
    assert deadlines.end_due(small) == 1
    assert held(small, expired).outcome is State.EXPIRED
    fill(small.redis)
    arguments = ["--cp-repo", str(small.folder), "task", "delete", deleted["uuid"], "--yes"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert held(small, deleted).stopping
    fill(small.redis)
    small.store.commit(transitions.ended(held(small, terminated), now=time.time()))
    assert held(small, terminated).state is State.TERMINATED
    reason = Reason("x", "y")
    small.store.commit(transitions.failed_early(held(small, failed), reason, now=time.time()))
    assert held(small, failed).ended
    assert [*small.redis.scan_iter(match="cp:workload:*")] == []


def test_tasks_are_removed_at_the_limit(tmp_path: Path) -> None:
    """With real processes: what was ended at the limit is removed, and Lagrange hears of it."""
    space = tmp_path / "space"
    space.mkdir()
    (space / "deploy.yaml").write_text(SPACE)
    with (
        simulated_cluster.serving(tmp_path / "kubeconfig") as cluster,
        running(tmp_path / "provider", Kubeconfig=str(cluster.kubeconfig)) as provider,
    ):
        job = provider.assign(space)
        provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
        connection = provider.context.redis
        connection.config_set("maxmemory", LIMIT_BYTES)
        eventually("there is a reserve", lambda: connection.exists(redis_keys.RESERVE))
        fill(connection)
        assert provider.terminate(job).status == 202
        provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
        assert provider.remains(job.uuid) == []


def test_readiness_needs_writes(small: Context, small_web: Web) -> None:
    """A Redis that takes no writes is not ready, though it answers."""
    assert small_web.call("GET", "/readyz").status == 200
    small.redis.replicaof("127.0.0.1", "1")
    assert small.redis.ping()
    assert small_web.call("GET", "/readyz").status == 503
    small.redis.replicaof("NO", "ONE")
    assert small_web.call("GET", "/readyz").status == 200


def test_an_unbounded_redis_is_never_full(context: Context) -> None:
    """Without `maxmemory` there is nothing to compare with."""
    assert not budget.mark_full(context.redis)
