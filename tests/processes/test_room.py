"""Jobs that compete for nodes, on real processes and the simulated cluster, which has four GPUs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.admission.reservations.ledger import Ledger
from app.demo.fake_lagrange import Job
from app.store import redis_keys
from tests.support.provider import WALLET, Provider, running
from tests.support.simulated_cluster import SimulatedCluster
from tests.support.waiting import eventually

NODE = "simulated-1"
HARDWARE = "NVIDIA RTX A4000 · 2 vCPU · 4 GiB"
DEPLOY = """
version: "2.0"
services:
  web:
    image: nginx:1.27
    expose: [{port: 80, to: [{global: true}]}]
deployment: {web: {lagrange: {count: 1}}}
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space of one service, which gets all of its order."""
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "deploy.yaml").write_text(DEPLOY)
    return folder


def ordered(provider: Provider, space: Path, *, gpus: int, hardware: str = HARDWARE) -> Job:
    """A job for a new Space that bought so many GPUs; it is not sent."""
    name = provider.lagrange.add_space(space, wallet=WALLET, hardware=hardware, gpus=gpus)
    return provider.lagrange.job(name, 900)


def accepted(provider: Provider, job: Job) -> Job:
    """Assign a job and have it accepted."""
    answer = provider.lagrange.assign(provider.url, job)
    assert answer.status == 202, answer.body
    return job


def held(provider: Provider) -> dict[str, int]:
    """The GPUs that each revision of each task has reserved."""
    book = Ledger.read(provider.context.store.fields(redis_keys.RESERVATIONS))
    return {name: sum(one.amounts.gpus for one in slots) for name, slots in book.held.items()}


def told(provider: Provider, job: Job) -> str:
    """Why a job failed."""
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=30)
    return str(failed.body["reason"])


def test_room_is_sold_once(provider: Provider, space: Path) -> None:
    """A job that does not fit fails with what is missing; once that is known, it is refused."""
    first = accepted(provider, ordered(provider, space, gpus=2))
    provider.lagrange.wait_for(first.uuid, "running", timeout_seconds=30)
    assert held(provider) == {f"{first.uuid}:1": 2}
    eventually("its pods are seen", lambda: _seen(provider) == 2)
    second = accepted(provider, ordered(provider, space, gpus=1))
    provider.lagrange.wait_for(second.uuid, "running", timeout_seconds=30)
    reason = told(provider, accepted(provider, ordered(provider, space, gpus=2)))
    assert reason == f"no_room: needs 2 × NVIDIA-A4000, 1 free on node {NODE}"

    provider.terminate(first)
    provider.lagrange.wait_for(first.uuid, "terminated", timeout_seconds=30)
    assert held(provider) == {f"{second.uuid}:1": 1}
    third = accepted(provider, ordered(provider, space, gpus=2))
    provider.lagrange.wait_for(third.uuid, "running", timeout_seconds=30)
    eventually("its pods are seen", lambda: _seen(provider) == 3)
    again = provider.lagrange.job(first.space_uuid, 900)
    answer = provider.lagrange.assign(provider.url, again)
    assert answer.status == 409
    problem = json.loads(answer.body)
    assert problem["code"] == "no_room"
    assert problem["detail"] == f"needs 2 × NVIDIA-A4000, 1 free on node {NODE}"
    assert provider.context.store.get(again.uuid) is None

    provider.terminate(third)
    provider.lagrange.wait_for(third.uuid, "terminated", timeout_seconds=30)
    eventually("it is accepted", lambda: _is_accepted(provider, again))
    provider.lagrange.wait_for(again.uuid, "running", timeout_seconds=30)


def _seen(provider: Provider) -> int:
    """The number of GPUs that our pods take, as the watcher saw it last."""
    content = provider.context.store.value(redis_keys.INVENTORY)
    nodes = json.loads(content)["inventory"]["nodes"] if content else []
    return sum(pod["amounts"]["gpus"] for node in nodes for pod in node["tenants"])


def _is_accepted(provider: Provider, job: Job) -> bool:
    return provider.lagrange.assign(provider.url, job).status == 202


def test_of_jobs_at_once_only_those_run_that_fit(provider: Provider, space: Path) -> None:
    """Four come together for four GPUs, three each: one runs, three fail."""
    jobs = [ordered(provider, space, gpus=3) for _ in range(4)]
    for job in jobs:
        accepted(provider, job)
    eventually(
        "all are decided",
        lambda: all(provider.statuses(job)[-1:] in (["running"], ["failed"]) for job in jobs),
    )
    outcomes = sorted(provider.statuses(job)[-1] for job in jobs)
    assert outcomes == ["failed", "failed", "failed", "running"]
    assert sorted(held(provider).values()) == [3]


def test_a_redeploy_needs_room_beside_what_runs(provider: Provider, space: Path) -> None:
    """Without, it fails, and the old version serves on and keeps its room."""
    job = accepted(provider, ordered(provider, space, gpus=3))
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=30)
    assert provider.lagrange.redeploy(provider.url, job).status == 202
    assert told(provider, job) == f"no_room: needs 3 × NVIDIA-A4000, 1 free on node {NODE}"
    eventually("the old version is back", lambda: provider.task(job).state == "running")
    assert held(provider) == {f"{job.uuid}:1": 3}
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=30)
    small = accepted(provider, ordered(provider, space, gpus=2))
    provider.lagrange.wait_for(small.uuid, "running", timeout_seconds=30)
    assert provider.lagrange.redeploy(provider.url, small).status == 202
    eventually("the new version runs", lambda: provider.task(small).running_revision == 2)
    assert held(provider) == {f"{small.uuid}:2": 2}


def test_a_job_that_replaces_another_takes_over_its_room(provider: Provider, space: Path) -> None:
    """Both hold room until the new one runs; then the old one's is free."""
    old = accepted(provider, ordered(provider, space, gpus=2))
    provider.lagrange.wait_for(old.uuid, "running", timeout_seconds=30)
    new = accepted(provider, provider.lagrange.job(old.space_uuid, 900))
    provider.lagrange.wait_for(new.uuid, "running", timeout_seconds=30)
    provider.lagrange.wait_for(old.uuid, "terminated", timeout_seconds=30)
    assert held(provider) == {f"{new.uuid}:1": 2}


@pytest.fixture
def choosy(
    tmp_path: Path, cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    """A provider with a white list and prices."""
    monkeypatch.setenv("CP_ADMISSION_WHITELIST", "white.txt")
    with running(tmp_path / "provider", Kubeconfig=str(cluster.kubeconfig)) as found:
        (found.folder / "white.txt").write_text(f"{WALLET.upper().replace('X', 'x')}\n")
        (found.folder / "price.toml").write_text('TARGET_CPU = "2"\nTARGET_GPU_A4000 = "10"\n')
        yield found


def test_whose_jobs_come_in_and_for_how_much(choosy: Provider, space: Path) -> None:
    """Another wallet's fails, and so does a low bid; for a Space that is known, at once."""
    stranger = choosy.lagrange.add_space(space, wallet="0x" + "99" * 20, hardware=HARDWARE)
    job = accepted(choosy, choosy.lagrange.job(stranger, 900))
    assert told(choosy, job).startswith("not_admitted: wallet 0x99")
    low = accepted(choosy, replace(ordered(choosy, space, gpus=2), bid_price="5.99"))
    reason = "bids 5.99 SWAN for 900 s, the price is 6 SWAN"
    assert told(choosy, low) == f"bid_too_low: {reason}"
    assert choosy.statuses(low) == ["downloadSource", "failed"]
    high = replace(choosy.lagrange.job(low.space_uuid, 900), bid_price="6")
    choosy.lagrange.wait_for(accepted(choosy, high).uuid, "running", timeout_seconds=30)
    again = replace(choosy.lagrange.job(low.space_uuid, 900), bid_price="3")
    answer = choosy.lagrange.assign(choosy.url, again)
    assert (answer.status, json.loads(answer.body)["code"]) == (409, "bid_too_low")
    (choosy.folder / "white.txt").unlink()
    closed = accepted(choosy, ordered(choosy, space, gpus=1))
    assert told(choosy, closed).startswith("not_admitted: this provider cannot read its white list")
