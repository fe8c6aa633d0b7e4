"""Images that somebody else put into the operator's registry.

Tried: a manifest under the name of a Space's image, before its first build, after it, and in the
place of the one that was pushed; and a registry that anybody may write to. They fail because only
the digest that this provider pushed runs, because what the registry has besides is built anew, and
because nothing is built without credentials unless the operator allows it.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.demo.fake_lagrange import Job
from tests.support.fake_registry import Answer, FakeRegistry, serving
from tests.support.provider import WALLET, Provider, running
from tests.support.simulated_cluster import serving as serving_cluster

OURS, FOREIGN = b"ours", b"foreign"
DIGEST = f"sha256:{hashlib.sha256(OURS).hexdigest()}"
BUILDER = f"""#!/bin/sh
[ "$1" != push ] || {{ touch $0.pushed; echo "tag: digest: {DIGEST} size: 4"; }}
"""
BUILT = ["downloadSource", "buildImage", "pushImage", "deployToK8s", "running"]
REUSED = ["downloadSource", "deployToK8s", "running"]


@dataclass
class World:
    """A provider, and a registry where a stranger has put an image under every name."""

    provider: Provider
    registry: FakeRegistry
    space: Path
    pushed: Path
    space_uuid: str = ""

    def run(self) -> tuple[Job, str]:
        """Have the Space deployed, and return its job and the image that runs."""
        lagrange = self.provider.lagrange
        self.space_uuid = self.space_uuid or lagrange.add_space(
            self.space, wallet=WALLET, hardware="CPU only · 1 vCPU · 1 GiB"
        )
        job = lagrange.job(self.space_uuid, 900)
        assert lagrange.assign(self.provider.url, job).status == 202
        lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
        workload = self.provider.context.store.workload(job.uuid, 1)
        assert workload is not None
        return job, workload.components[0].containers[0].image

    def answer(self, path: str, _authorization: str) -> Answer:
        """Answer by digest what was pushed, and by every tag the stranger's manifest."""
        if path.endswith(f"/manifests/{DIGEST}"):
            return (200, {}, OURS) if self.pushed.exists() else (404, {}, b"")
        return 200, {}, FOREIGN


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractContextManager[World]]:
    """A provider with a builder of the worker's machine, and credentials or the operator's word."""
    program = tmp_path / "programs" / "docker"
    program.parent.mkdir()
    program.write_text(BUILDER)
    program.chmod(0o755)
    space = tmp_path / "space"
    space.mkdir()
    (space / "Dockerfile").write_text("FROM scratch\nEXPOSE 8080\n")

    @contextmanager
    def opened(**environment: str) -> Iterator[World]:
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        monkeypatch.setenv("CP_BUILD_BUILDER", "docker")
        for name, text in environment.items():
            monkeypatch.setenv(name, text)
        with serving() as registry, serving_cluster(tmp_path / "kubeconfig") as cluster:
            monkeypatch.setenv("CP_REGISTRY_SERVERADDRESS", registry.url)
            with running(tmp_path / "provider", Kubeconfig=str(cluster.kubeconfig)) as provider:
                world = World(provider, registry, space, program.with_suffix(".pushed"))
                registry.answer = world.answer
                yield world

    return opened


def test_only_what_was_pushed_runs(world: Callable[..., AbstractContextManager[World]]) -> None:
    """A foreign image is passed over; our own is used again, and built anew once it is gone."""
    with world(CP_REGISTRY_ALLOWANONYMOUS="true") as opened:
        job, image = opened.run()
        assert image.endswith(f"@{DIGEST}")
        assert opened.provider.statuses(job) == BUILT

        job, image = opened.run()
        assert image.endswith(f"@{DIGEST}")
        assert opened.provider.statuses(job) == REUSED

        opened.pushed.unlink()
        job, image = opened.run()
        assert image.endswith(f"@{DIGEST}")
        assert opened.provider.statuses(job) == BUILT


def test_nothing_is_built_for_everybodys_registry(
    world: Callable[..., AbstractContextManager[World]],
) -> None:
    """Without credentials the task fails, and its reason tells the operator what to set."""
    with world() as opened:
        lagrange = opened.provider.lagrange
        job = opened.provider.assign(opened.space)
        failed = lagrange.wait_for(job.uuid, "failed", timeout_seconds=30)
        assert failed.body["reason"].startswith("no_registry_credentials: ")
        assert "[Registry] UserName" in failed.body["reason"]
        assert opened.registry.asked == []
