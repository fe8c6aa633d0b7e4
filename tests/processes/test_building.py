"""Spaces with a Dockerfile and the room that they need, with a builder that takes its time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.admission.reservations.ledger import Ledger, Slot
from app.demo.fake_lagrange import Job
from app.processes.supervisor import Child, own
from app.store import redis_keys
from tests.support.fake_registry import serving
from tests.support.provider import WALLET, Provider, running
from tests.support.simulated_cluster import SimulatedCluster

NODE = "simulated-1"
HARDWARE = "NVIDIA RTX A4000 · 2 vCPU · 4 GiB"
DIGEST = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
BUILDER = """#!/bin/sh
case $1 in
build) while ! test -e {folder}/built; do sleep 0.1; done ;;
push) touch {folder}/pushed; echo "tag: digest: {digest} size: 3" ;;
esac
"""


@pytest.fixture
def provider(
    tmp_path: Path, cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    """A provider whose builds wait for a file `built`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(BUILDER.format(folder=tmp_path, digest=DIGEST))
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("CP_BUILD_BUILDER", "docker")
    with serving() as registry:
        monkeypatch.setenv("CP_REGISTRY_SERVERADDRESS", registry.url)
        monkeypatch.setenv("CP_REGISTRY_ALLOWANONYMOUS", "true")
        registry.answer = lambda _path, _authorization: (
            (200, {}, b"foo") if (tmp_path / "pushed").exists() else (404, {}, b"")
        )
        with running(tmp_path / "provider", Kubeconfig=str(cluster.kubeconfig)) as found:
            found.supervisor.children = [
                *found.supervisor.children,
                Child("worker-2", own("worker")),
            ]
            yield found


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space that has to be built."""
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nEXPOSE 8080\n")
    return folder


def assigned(provider: Provider, space: Path, *, gpus: int) -> Job:
    """Have a new Space assigned that bought so many GPUs."""
    name = provider.lagrange.add_space(space, wallet=WALLET, hardware=HARDWARE, gpus=gpus)
    job = provider.lagrange.job(name, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def held(provider: Provider, job: Job) -> tuple[Slot, ...]:
    """Return what a job has reserved."""
    return Ledger.read(provider.context.store.fields(redis_keys.RESERVATIONS)).of(job.uuid, 1)


def test_room_comes_before_the_build(provider: Provider, space: Path, tmp_path: Path) -> None:
    """A job without room fails unbuilt; one that is built holds its room, and runs there."""
    first = assigned(provider, space, gpus=3)
    provider.lagrange.wait_for(first.uuid, "buildImage", timeout_seconds=30)
    room = held(provider, first)
    assert [(one.node, one.amounts.gpus) for one in room] == [(NODE, 3)]

    second = assigned(provider, space, gpus=2)
    failed = provider.lagrange.wait_for(second.uuid, "failed", timeout_seconds=30)
    assert failed.body["reason"] == f"no_room: needs 2 × NVIDIA-A4000, 1 free on node {NODE}"
    assert provider.statuses(second) == ["downloadSource", "failed"]
    assert held(provider, second) == ()

    (tmp_path / "built").touch()
    provider.lagrange.wait_for(first.uuid, "running", timeout_seconds=30)
    assert held(provider, first) == room
    told = [one.what for one in provider.context.store.timeline(first.uuid)]
    assert told.count("room reserved") == 1
    workload = provider.context.store.workload(first.uuid, 1)
    assert workload is not None
    [container] = workload.components[0].containers
    assert container.image.endswith(f"/lagrange/{first.space_uuid}@{DIGEST}")
    assert container.ports[0].number == 8080

    provider.terminate(first)
    provider.lagrange.wait_for(first.uuid, "terminated", timeout_seconds=30)
    assert held(provider, first) == ()
