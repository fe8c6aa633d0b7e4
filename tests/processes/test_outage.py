"""Redis, the API server or Lagrange away for a while: nothing is lost, nothing is done twice."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Behaviour
from tests.support.provider import Provider, running
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually

RUN = ["downloadSource", "deployToK8s", "running"]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process without ending it: connections stay open and nobody answers."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.timeout(240)
def test_the_api_server_is_away_for_a_minute(
    provider: Provider, cluster: SimulatedCluster, space: Path
) -> None:
    """A running task is left alone, and a new one comes up, once the cluster is back."""
    runs = provider.assign(space)
    provider.lagrange.wait_for(runs.uuid, "running", timeout_seconds=30)
    other = space.with_name("other")
    space.rename(other)
    with frozen(cluster.process.pid):
        waits = provider.assign(other)
        time.sleep(60)
        assert provider.task(runs).state == "running"
        assert provider.statuses(runs) == RUN
    provider.lagrange.wait_for(waits.uuid, "running", timeout_seconds=120)
    assert provider.statuses(waits) == RUN
    assert provider.statuses(runs) == RUN


def test_redis_is_killed_while_a_job_is_deployed(provider: Provider, space: Path) -> None:
    """Accepted events are on the disk; the job goes on when Redis is back."""
    job = provider.assign(space)
    eventually("work has begun", lambda: provider.task(job).state != "accepted")
    provider.kill_redis()
    refused = provider.lagrange.assign(provider.url, provider.lagrange.job(job.space_uuid, 900))
    assert refused.status == 503
    assert refused.headers["retry-after"]
    time.sleep(3)
    provider.start_redis()
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    assert provider.statuses(job) == RUN


def test_lagrange_is_away(provider: Provider, space: Path) -> None:
    """Callbacks arrive in order once Lagrange answers again, each with its one id."""
    other = space.with_name("other")
    provider.lagrange.behaviours["/job/status"] = Behaviour(status=503, retry_after_seconds=6)
    job = provider.assign(space)
    eventually("it runs unheard", lambda: provider.task(job).state == "running")
    assert provider.statuses(job) == []
    del provider.lagrange.behaviours["/job/status"]
    space.rename(other)
    second = provider.assign(other)
    provider.lagrange.wait_for(second.uuid, "running", timeout_seconds=30)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    assert provider.statuses(job) == RUN
    store = provider.context.store
    eventually(
        "all are settled",
        lambda: [one.state for one in store.callbacks(job.uuid)] == ["delivered"] * 3,
    )
    assert store.callbacks(job.uuid)[0].attempts > 1


def test_lagrange_redirects_callbacks_to_a_private_address(provider: Provider, space: Path) -> None:
    """A callback follows no redirect; it is tried again."""
    provider.lagrange.behaviours["/job/status"] = Behaviour(fault="redirect", times=1)
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert provider.statuses(job) == RUN


def test_a_task_that_never_runs_is_ended(
    tmp_path: Path, cluster: SimulatedCluster, space: Path
) -> None:
    """A source that cannot be had is tried until the operator's patience ends, then told."""
    patience = {"StartTimeoutSeconds": 5}
    kubeconfig = str(cluster.kubeconfig)
    with running(tmp_path / "provider", task=patience, Kubeconfig=kubeconfig) as provider:
        provider.lagrange.behaviours["/spaces"] = Behaviour(status=503)
        job = provider.assign(space)
        failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=60)
        assert failed.body["reason"].startswith("never_ran: ")
        assert provider.statuses(job) == ["downloadSource", "failed"]
        assert provider.task(job).ended
