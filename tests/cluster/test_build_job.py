"""Builds by rootless BuildKit on a real cluster, in Jobs that come and go with them."""

import asyncio
import shutil
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.errors import Permanent
from app.spaces import cgroups, images, scratch
from app.spaces.images import (
    BuildLimits,
    BuildRequest,
    JobBuilder,
    Registry,
    context_image,
)
from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.inventory.capabilities import resolve
from k8s.jobs import build as job_build
from k8s.jobs import build_progress
from k8s.manifests import networks
from k8s.policy.violation import Violation
from k8s.workload import Capabilities
from tests.support import cluster_program, registry_proxy
from tests.support.build_jobs import (
    BUSYBOX,
    DISK_BYTES,
    DOCKERFILE,
    MEMORY_BYTES,
    NEEDS,
    left,
)
from tests.support.documents import ROOT
from tests.support.registry_proxy import Asking
from tests.support.waiting import eventually

pytestmark = NEEDS
TEMPLATE = ROOT / "k8s" / "templates" / "build-job.yaml"


@pytest.fixture(scope="module")
def private(cluster: Cluster) -> Iterator[Asking]:
    """A registry that asks for a password, where pods can reach it."""
    server = urlsplit(cluster._configuration.host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname, server.port))
        address = probe.getsockname()[0]
    with registry_proxy.serving(address) as found:
        yield found


@pytest.fixture
def order(tmp_path: Path, private: Asking) -> Iterator[BuildRequest]:
    """A build of a small Space for the registry that asks."""
    with scratch.folder(tmp_path, "space") as folder:
        (folder / "files").mkdir()
        (folder / "build").mkdir()
        registry = Registry(host=private.host, plain_http=True, user="operator", password="hunter2")
        limits = BuildLimits(
            seconds=60, memory_bytes=MEMORY_BYTES, cores=0.8, disk_bytes=DISK_BYTES
        )
        empty = images.BuildContext(folder / "files", "Dockerfile", "")
        yield BuildRequest(
            image="",
            context=empty,
            folder=folder / "build",
            cgroup=cgroups.name(folder),
            registry=registry,
            limits=limits,
            network="private",
        )


def prepared(order: BuildRequest, step: str) -> BuildRequest:
    """Return the order with files that nobody has built before, and one more step."""
    files = order.context.folder
    shutil.copy(BUSYBOX, files / "busybox")
    (files / ".wh.odd $(IMAGE)").write_text(str(uuid.uuid4()))
    (files / "Dockerfile").write_text(DOCKERFILE.format(step=step))
    called = ["Dockerfile", "busybox", ".wh.odd $(IMAGE)"]
    context = images.prepare(files, called, "Dockerfile", max_bytes=64 << 20)
    image = images.name(order.registry, str(uuid.uuid4()), context.digest)
    return replace(order, context=context, image=image)


@pytest.fixture
def builder(cluster: Cluster) -> JobBuilder:
    """A builder for a task that nobody has, which knows the cluster's networks."""
    capabilities = resolve(cluster, Capabilities())
    return JobBuilder(
        cluster=cluster,
        task_id=str(uuid.uuid4()),
        image=cluster_program.BUILDKIT,
        capabilities=capabilities,
    )


def built(order: BuildRequest, builder: JobBuilder, log: list[str]) -> str:
    """Build and push."""
    return builder.build(
        order,
        check=lambda: None,
        tell=log.append,
        pushing=lambda: log.append("(pushing)"),
    )


def test_a_build_and_its_push(
    order: BuildRequest, builder: JobBuilder, cluster: Cluster, private: Asking
) -> None:
    """It arrives at a registry that asks; steps see no credentials and only what they may reach."""
    closed = networks.hosts(builder.capabilities.blocked_networks)[0]
    wanted = prepared(
        order,
        "RUN cat '/www/.wh.odd $(IMAGE)' && cat /proc/self/status && ! ls /proc/1/root/credentials"
        f" && ! nc -w 2 {closed} 6443 </dev/null && nc -w 2 {private.host.replace(':', ' ')}"
        " </dev/null && ! env | grep -i config && echo alone",
    )
    log: list[str] = []
    digest = built(wanted, builder, log)
    assert digest == asyncio.run(wanted.registry.digest(wanted.image))
    text = "\n".join(log)
    assert " alone\n" in text
    assert "(pushing)" in log
    assert "hunter2" not in text
    assert asyncio.run(wanted.registry.digest(context_image.name(wanted.image))) is None
    eventually("nothing is left", lambda: left(cluster, builder.task_id) == [])


def test_a_failing_step(order: BuildRequest, builder: JobBuilder, cluster: Cluster) -> None:
    """The last lines tell of it, and nothing is left."""
    wanted = prepared(order, "RUN echo no luck; exit 7")
    with pytest.raises(Permanent) as caught:
        built(wanted, builder, [])
    assert caught.value.category == "build_failed"
    assert "exit code: 7" in caught.value.message
    eventually("nothing is left", lambda: left(cluster, builder.task_id) == [])


def test_another_tenants_image(order: BuildRequest, builder: JobBuilder) -> None:
    """A Dockerfile cannot be built from what the registry keeps for the operator alone."""
    wanted = prepared(order, f"COPY --from={order.registry.host}/library/busybox:latest / /stolen")
    with pytest.raises(Permanent) as caught:
        built(wanted, builder, [])
    assert caught.value.category == "build_failed"
    assert "401" in caught.value.message


@pytest.mark.parametrize(
    ("step", "limits", "category"),
    [
        ("RUN echo begun; sleep 3000", {"seconds": 10}, "build_timeout"),
        ("RUN dd if=/dev/zero of=/dev/null bs=600M count=1", {}, "build_failed"),
    ],
    ids=["time", "memory"],
)
def test_limits(
    order: BuildRequest, builder: JobBuilder, step: str, limits: dict[str, int], category: str
) -> None:
    """The cluster ends what takes more than it may."""
    bounded = replace(order, limits=replace(order.limits, **limits))
    with pytest.raises(Permanent) as caught:
        built(prepared(bounded, step), builder, [])
    assert caught.value.category == category, caught.value.message


def test_a_build_is_taken_up(order: BuildRequest, builder: JobBuilder, cluster: Cluster) -> None:
    """A worker that comes back finds the Job of the same files, and tells its log again."""
    wanted = prepared(order, "RUN echo begun; sleep 6; echo ended")
    builder._start(wanted)
    job = job_build.name(builder.task_id, wanted.context.digest)
    eventually("it runs", lambda: build_progress.look(cluster, job).has_log)
    uid = cluster.get(f"{url_paths.collection('Job', job_build.NAMESPACE)}/{job}")["metadata"][
        "uid"
    ]
    secret = cluster.get(f"{url_paths.collection('Secret', job_build.NAMESPACE)}/{job}")
    assert [one["uid"] for one in secret["metadata"]["ownerReferences"]] == [uid]
    log: list[str] = []
    assert built(wanted, builder, log).startswith("sha256:")
    assert any("COPY . /www/" in line for line in log)
    assert any(line.endswith(" ended") for line in log)
    eventually("nothing is left", lambda: left(cluster, builder.task_id) == [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("readOnlyRootFilesystem: true", "privileged: true"),
        ("enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: true"),
        ("add: [SETGID, SETUID]", "add: [SYS_ADMIN]"),
        ("{name: socket, mountPath: /run/buildkit}", "{name: credentials, mountPath: /c}"),
        ("activeDeadlineSeconds: ${seconds}", "activeDeadlineSeconds: 99999"),
        ("emptyDir: {medium: Memory, sizeLimit: 1Mi}", "hostPath: {path: /run}"),
        ("namespace: ${namespace}", "namespace: default"),
    ],
)
def test_templates_that_weaken(
    order: BuildRequest, builder: JobBuilder, tmp_path: Path, old: str, new: str
) -> None:
    """An operator's template opens no door to a node, and hands steps no credentials."""
    text = TEMPLATE.read_text()
    assert old in text
    (tmp_path / "build-job.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(Violation):
        built(prepared(order, ""), replace(builder, overrides=tmp_path), [])
    assert left(builder.cluster, builder.task_id) == []
