"""Images that a provider builds by Jobs on a real cluster."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.demo.fake_lagrange import Job
from app.spaces import images
from app.store import build_log
from k8s.api import url_paths
from k8s.jobs import build as job_build
from k8s.naming import names
from tests.support.build_jobs import BUSYBOX, DISK_BYTES, DOCKERFILE, MEMORY_BYTES, NEEDS, left
from tests.support.provider import Provider, running
from tests.support.registry_proxy import REGISTRY
from tests.support.waiting import eventually

pytestmark = NEEDS
HARDWARE = "CPU only · 0.1 vCPU · 64 MiB"
START = "#!/bin/sh\ntrap exit TERM\nhttpd -f -p 8080 -h /www & wait\n"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that builds on the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CP_REGISTRY_SERVERADDRESS", f"http://{REGISTRY}")
        patch.setenv("CP_REGISTRY_ALLOWANONYMOUS", "true")
        patch.setenv("CP_BUILD_BUILDER", images.JOB)
        patch.setenv("CP_BUILD_CPU", "0.8")
        patch.setenv("CP_BUILD_MEMORYBYTES", str(MEMORY_BYTES))
        patch.setenv("CP_BUILD_MAXDISKBYTES", str(DISK_BYTES))
        patch.setenv("CP_BUILD_NETWORK", "none")
        with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
            yield found


def assigned(provider: Provider, folder: Path, wallet: str, step: str) -> Job:
    """Have Lagrange assign a Space that has to be built."""
    folder.mkdir()
    shutil.copy(BUSYBOX, folder / "busybox")
    (folder / "start.sh").write_text(START)
    (folder / "page.html").write_text(str(uuid.uuid4()))
    (folder / "Dockerfile").write_text(DOCKERFILE.format(step=step))
    name = provider.lagrange.add_space(folder, wallet=wallet, hardware=HARDWARE)
    job = provider.lagrange.job(name, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def lines(provider: Provider, job: Job) -> list[str]:
    """Return the log of a job's build."""
    return [line for _, line in provider.context.store.read(build_log.lines(job.uuid)) if line]


def test_a_space_is_built_and_runs(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """From its Dockerfile to a pod that runs what was pushed, by digest."""
    job = assigned(provider, tmp_path / "space", wallet, "RUN echo from a step")
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    told = ["downloadSource", "buildImage", "pushImage", "deployToK8s", "running"]
    assert provider.statuses(job) == told
    workload = provider.context.store.workload(job.uuid, 1)
    assert workload is not None
    image = workload.components[0].containers[0].image
    assert image.startswith(f"{REGISTRY}/lagrange/{job.space_uuid}@sha256:")
    assert any(line.endswith(" from a step") for line in lines(provider, job))
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)


def jobs(provider: Provider, task: Job) -> dict[str, Any]:
    """Return the Jobs that build for a task: name → uid."""
    selector = f"{job_build.BUILD}={names.label_value(task.uuid)}"
    path = url_paths.collection("Job", job_build.NAMESPACE)
    found = provider.context.cluster.list(path, selector=selector)
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}


def test_a_killed_worker_and_a_termination(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """The next worker takes the same Job up; a termination leaves none, nor a pod."""
    job = assigned(provider, tmp_path / "space", wallet, "RUN echo begun; sleep 3000")
    cluster = provider.context.cluster

    def begun() -> bool:
        return any(line.endswith(" begun") for line in lines(provider, job))

    eventually("the step runs", begun, seconds=60)
    before = jobs(provider, job)
    assert len(before) == 1
    provider.kill("worker")
    provider.context.redis.delete(f"cp:build-log:{job.uuid}")
    eventually("its log is told again", begun, seconds=90)
    assert jobs(provider, job) == before
    provider.terminate(job)
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    eventually("nothing is left", lambda: left(cluster, job.uuid) == [])
    assert provider.remains(job.uuid, wallet=wallet) == []
