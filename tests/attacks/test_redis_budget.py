"""Attack: tenants fill Redis with what is kept for them.

Tried with endless build logs, revisions with large files, host names and flapping workloads. It
fails because everything that a tenant causes has a bound, and most of it goes with its task.
"""

import time

import msgspec
import pytest
from msgspec.structs import replace

from app.context import Context
from app.store import budget, build_log, redis_keys
from app.store.build_log import BuildLog
from app.store.records import Callback, Fallback, Reason, State
from app.tasks import transitions
from tests.support.held_tasks import end, held
from tests.support.tenant_writes import assigned, deploy, size
from tests.support.web_server import Web

NEVER = -1  # Redis' time to live of a key without one.


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
