"""Attack: tenants fill Redis, and then nobody can end anything.

Tried with a real Redis that is filled to its limit while tasks have to end. It fails because new
jobs are refused before the limit, and what ends tasks needs no free memory.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from redis.exceptions import OutOfMemoryError

from app.cli import main
from app.context import Context, open_context
from app.demo import local_redis
from app.store import budget, redis_keys
from app.store.build_log import BuildLog
from app.store.container_log_stream import Addition, Writer
from app.store.records import Reason, State
from app.tasks import deadlines, transitions
from tests.support import market, simulated_cluster
from tests.support.held_tasks import held
from tests.support.problem_documents import problem
from tests.support.provider import running
from tests.support.spaces import SPACE
from tests.support.tenant_writes import assigned, deploy, size, used
from tests.support.waiting import eventually
from tests.support.web_server import Web, serving

LIMIT_BYTES = 20 << 20


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
