"""kill -9 of each process at each step: a task ends where it should, once, told in order."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Behaviour, Job, signed_requests
from app.errors import Temporary
from tests.support.intermediary import Intermediary, between
from tests.support.provider import HARDWARE, WALLET, Provider, running
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually

RUN = ["downloadSource", "deployToK8s", "running"]


@pytest.fixture
def intermediary(cluster: SimulatedCluster, tmp_path: Path) -> Iterator[Intermediary]:
    """The proxy between the provider and the cluster."""
    with between(cluster.kubeconfig, tmp_path / "kubeconfig") as intermediary:
        yield intermediary


@pytest.fixture
def provider(intermediary: Intermediary, tmp_path: Path) -> Iterator[Provider]:
    """A provider whose way to the cluster leads through the intermediary."""
    del intermediary
    with running(tmp_path / "provider", Kubeconfig=str(tmp_path / "kubeconfig")) as found:
        yield found


def kill_worker_at(provider: Provider, intermediary: Intermediary, when: str, which: int) -> None:
    """Kill -9 the worker and its fork just before or just after its n-th write to the cluster."""

    def kill(number: int, _: str) -> None:
        if number == which:
            provider.kill("worker")

    setattr(intermediary, when, kill)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", [1, 6, 10, 13])
def test_a_worker_killed_while_it_deploys(
    provider: Provider, intermediary: Intermediary, space: Path, when: str, which: int
) -> None:
    """Another worker finishes the deployment; nothing is told twice or out of order."""
    kill_worker_at(provider, intermediary, when, which)
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert len(intermediary.writes) > which, "the kill never happened"
    assert provider.statuses(job) == RUN


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", [1, 7])
def test_a_worker_killed_while_it_removes(
    provider: Provider, intermediary: Intermediary, space: Path, when: str, which: int
) -> None:
    """Another worker finishes the removal; nothing is left and the end is told once."""
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    intermediary.forget()
    kill_worker_at(provider, intermediary, when, which)
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert len(intermediary.writes) > which, "the kill never happened"
    assert provider.statuses(job) == [*RUN, "terminated"]
    assert provider.remains(job.uuid) == []


def test_a_worker_killed_while_it_fetches(provider: Provider, space: Path) -> None:
    """The Space is fetched again by another worker."""
    provider.lagrange.behaviours["/spaces"] = Behaviour(delay_seconds=3, times=1)
    job = provider.assign(space)
    eventually("it fetches", lambda: provider.task(job).state == "fetching")
    provider.kill("worker")
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert provider.statuses(job) == RUN


def test_a_termination_while_a_job_is_deployed_wins(
    provider: Provider, intermediary: Intermediary, space: Path
) -> None:
    """Nothing comes up after the end that arrived in the middle of the deployment."""
    jobs: list[Job] = []

    def terminate(number: int, _: str) -> None:
        if number == 8:
            provider.terminate(jobs[0])

    intermediary.before = terminate
    intermediary_slow(intermediary)
    jobs.append(provider.assign(space))
    provider.lagrange.wait_for(jobs[0].uuid, "terminated", timeout_seconds=60)
    assert "running" not in provider.statuses(jobs[0])
    assert provider.remains(jobs[0].uuid) == []
    time.sleep(3)
    assert provider.remains(jobs[0].uuid) == []


def intermediary_slow(intermediary: Intermediary) -> None:
    """Make every write take a moment, so that the end arrives in the middle."""
    intermediary.after = lambda _, __: time.sleep(0.1)


def test_a_killed_watcher_misses_and_repeats_nothing(provider: Provider, space: Path) -> None:
    """A task that came up while nobody watched is reported once."""
    provider.supervisor.children[2].start_at = time.monotonic() + 1e6
    provider.kill("watcher")
    eventually("it is gone", lambda: provider.supervisor.children[2].process is None)
    provider.supervisor.children[2].start_at = time.monotonic() + 6
    job = provider.assign(space)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    provider.kill("watcher")
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert provider.statuses(job) == [*RUN, "terminated"]


def test_an_expiry_survives_the_clock_and_redis(provider: Provider, space: Path) -> None:
    """A task expires in time though clock and Redis were killed meanwhile."""
    job = provider.assign(space, duration=60)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    provider.kill("clock")
    provider.kill_redis()
    time.sleep(2)
    provider.start_redis()
    eventually("Redis is back", lambda: provider.read("/readyz"))
    assert provider.task(job).state == "running"
    provider.lagrange.wait_for(job.uuid, "expired", timeout_seconds=90)
    assert provider.statuses(job) == [*RUN, "expired"]
    assert provider.remains(job.uuid) == []


def test_web_killed_between_commit_and_answer(provider: Provider, space: Path) -> None:
    """The sender that got no answer sends again, gets one, and there is one task."""
    space_uuid = provider.lagrange.add_space(space, wallet=WALLET, hardware=HARDWARE)
    job = provider.lagrange.job(space_uuid, 900)
    request = signed_requests.assign(provider.lagrange.signer, job, "webhook")
    killer = threading.Thread(target=kill_web_once_written, args=(provider, job.uuid))
    killer.start()
    with suppress(Temporary):
        provider.lagrange.send(provider.url, request)
    killer.join()
    provider.wait_ready()
    again = provider.lagrange.send(provider.url, request)
    assert again.status == 202
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert provider.statuses(job) == RUN
    assert len(list(provider.context.store.tasks())) == 1


def kill_web_once_written(provider: Provider, task_id: str) -> None:
    """Kill -9 web as soon as the task is written down, which is before its answer is sent."""
    deadline = time.monotonic() + 10
    while provider.context.store.get(task_id) is None and time.monotonic() < deadline:
        pass
    provider.kill("web")
