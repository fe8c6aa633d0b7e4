"""Spaces with a Dockerfile on a real cluster: built, pushed to a real registry, run by digest."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from app.demo.fake_lagrange import Job
from app.spaces import images
from app.spaces.images.detect import PROGRAMS
from app.store import build_log
from k8s.api import url_paths
from k8s.naming import labels, names
from tests.support import ingress
from tests.support.provider import Provider, running
from tests.support.waiting import eventually

BUSYBOX = Path("/bin/busybox")
HARDWARE = "CPU only · 0.1 vCPU · 64 MiB"
REGISTRY = os.environ.get("CLUSTER_REGISTRY", "")
BUILT = ["downloadSource", "buildImage", "pushImage", "deployToK8s", "running"]
REUSED = ["downloadSource", "deployToK8s", "running"]
DOCKERFILE = """
ARG PORT=8080
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base
ARG PORT
COPY page.html start.sh /www/
{step}
EXPOSE $PORT
CMD ["/www/start.sh"]
"""
# Succeeds only where nothing of the operator's machine can be seen or reached.
ALONE = (
    "RUN env; test $(ls -d /proc/[0-9]* | wc -l) -lt 9 && ! wget -T 2 -O - {url}/healthz"
    " && test ! -e /root/.docker && ! mknod /disk b 8 0 && echo alone"
)
# Not marked as executable: Lagrange knows no modes.
START = "#!/bin/sh\ntrap exit TERM\nhttpd -f -p 8080 -h /www & wait\n"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(not REGISTRY, reason="CLUSTER_REGISTRY has to name the cluster's registry"),
    pytest.mark.skipif(
        not any(shutil.which(one.program) for one in PROGRAMS if one.runs_steps),
        reason="needs buildah or podman",
    ),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
    pytest.mark.usefixtures("ingress_controller"),
    pytest.mark.timeout(240),
]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that builds for the cluster that KUBECONFIG names."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CP_REGISTRY_SERVERADDRESS", f"http://{REGISTRY}")
        patch.setenv("CP_REGISTRY_ALLOWANONYMOUS", "true")
        patch.setenv("CP_BUILD_BUILDER", images.choose("").program)
        patch.setenv("CP_BUILD_NETWORK", "none")
        patch.setenv("CP_BUILD_TIMEOUTSECONDS", "20")
        patch.setenv("CP_BUILD_MEMORYBYTES", str(128 << 20))
        patch.setenv("CP_BUILD_MAXDISKBYTES", str(300 << 20))
        patch.setenv("A_SECRET_OF_THE_OPERATOR", "hunter2")
        with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
            yield found


def space_of(tmp_path: Path, step: str = "") -> Path:
    """Return a Space that serves a page of its own, with one more step in its Dockerfile."""
    folder = tmp_path / "My Space"
    folder.mkdir()
    shutil.copy(BUSYBOX, folder / "busybox")
    (folder / "page.html").write_text(f"hello from {uuid.uuid4()}")
    (folder / "start.sh").write_text(START)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(step=step))
    return folder


def assign(provider: Provider, space: Path, wallet: str) -> Job:
    """Have Lagrange assign a Space to the provider."""
    space_uuid = provider.lagrange.add_space(space, wallet=wallet, hardware=HARDWARE)
    job = provider.lagrange.job(space_uuid, 900)
    assert provider.lagrange.assign(provider.url, job).status == 202
    return job


def page(provider: Provider, job: Job, wallet: str) -> str:
    """Return what the job's URL answers through the ingress controller, once it does."""
    return ingress.answer_of(provider, job.uuid, names.namespace(wallet), "/page.html")


def pod(provider: Provider, job: Job, wallet: str) -> dict[str, Any]:
    """Return the one pod of a job."""
    path = url_paths.collection("Pod", names.namespace(wallet))
    [found] = provider.context.cluster.list(path, selector=labels.task_selector(job.uuid))
    return found


def lines(provider: Provider, job: Job) -> list[str]:
    """Return the log of a job's build."""
    return [line for _, line in provider.context.store.read(build_log.lines(job.uuid)) if line]


def builds(marker: str) -> list[str]:
    """Return the command lines of processes that have this word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in command:
            found.append(command)
    return found


def end(provider: Provider, job: Job, wallet: str) -> None:
    """End a job, and see that nothing is left of it."""
    assert provider.terminate(job).status == 202
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    assert provider.remains(job.uuid, wallet=wallet) == []
    assert list((provider.folder / "scratch").iterdir()) == []


def test_a_dockerfile_runs(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """Built, pushed, run by digest, reached by its URL; the same content is built only once."""
    space = space_of(tmp_path, ALONE.format(url=provider.url))
    job = assign(provider, space, wallet)
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=90)
    assert provider.statuses(job) == BUILT
    assert page(provider, job, wallet) == (space / "page.html").read_text()
    [container] = pod(provider, job, wallet)["spec"]["containers"]
    assert container["image"].startswith(f"{REGISTRY}/lagrange/{job.space_uuid}@sha256:")
    assert container["name"].startswith("my-space")
    assert container["ports"][0]["containerPort"] == 8080
    assert container["resources"]["limits"]["memory"] == str(64 << 20)
    log = lines(provider, job)
    assert "alone" in log
    assert not any("hunter2" in line for line in log)

    again = provider.lagrange.job(job.space_uuid, 900)
    assert provider.lagrange.assign(provider.url, again).status == 202
    provider.lagrange.wait_for(again.uuid, "running", timeout_seconds=60)
    assert provider.statuses(again) == REUSED
    provider.lagrange.wait_for(job.uuid, "terminated", timeout_seconds=60)
    [same] = pod(provider, again, wallet)["spec"]["containers"]
    assert same["image"] == container["image"]

    (space / "page.html").write_text("another page")
    assert provider.lagrange.redeploy(provider.url, again).status == 202
    eventually("it is built anew", lambda: provider.statuses(again) == REUSED + BUILT, seconds=60)
    eventually("the new page", lambda: page(provider, again, wallet) == "another page")
    end(provider, again, wallet)


def test_a_failing_step_is_told(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """The task fails with the last lines of the log, colours and all other control left out."""
    script = (
        "i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done;"
        r" printf '\033[31mno %s\r\n' luck; exit 7"
    )
    job = assign(provider, space_of(tmp_path, f"RUN {script}"), wallet)
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=60)
    reason = failed.body["reason"]
    assert reason.startswith("build_failed: ")
    assert "line 49 | no luck | " in reason
    assert "line 3 " not in reason
    assert provider.task(job).ended
    assert provider.statuses(job) == ["downloadSource", "buildImage", "failed"]
    assert "line 3" in lines(provider, job)


@pytest.mark.parametrize(
    ("step", "category"),
    [
        ("RUN dd if=/dev/zero of=/dev/null bs=400M count=1", "build_failed"),
        ("RUN for i in 1 2 3 4; do dd if=/dev/zero of=/f$i bs=1M count=100; done; sleep 9", ""),
    ],
    ids=["memory", "disk"],
)
def test_limits(provider: Provider, wallet: str, tmp_path: Path, step: str, category: str) -> None:
    """A step that takes more memory or disk than the operator gives is ended; the task fails."""
    if category and os.geteuid() != 0:
        pytest.skip("memory of all processes together is limited for root's builds")
    job = assign(provider, space_of(tmp_path, step), wallet)
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=60)
    reason = failed.body["reason"]
    assert reason.startswith(f"{category or 'build_too_large'}: "), reason
    assert "killed" in reason or not category


def test_a_termination_stops_the_build(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """A job that is ended while it is built leaves no process, no folder, no object, no image."""
    marker = f"1000{uuid.uuid4().int % 10**9}"
    step = f"RUN setsid sleep {marker} & echo begun; sleep {marker}"
    job = assign(provider, space_of(tmp_path, step), wallet)
    eventually("the step runs", lambda: "begun" in lines(provider, job), seconds=60)
    assert len([one for one in builds(marker) if one.startswith("sleep")]) == 2
    end(provider, job, wallet)
    assert builds(marker) == []
    assert provider.statuses(job) == ["downloadSource", "buildImage", "terminated"]


def test_a_renewal_does_not_build_again(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """A change of the task that does not concern its image leaves the build alone."""
    job = assign(provider, space_of(tmp_path, "RUN echo begun; sleep 3"), wallet)
    eventually("the step runs", lambda: "begun" in lines(provider, job), seconds=60)
    assert provider.lagrange.renew(provider.url, job, 300).status == 202
    provider.lagrange.wait_for(job.uuid, "running", timeout_seconds=60)
    assert provider.statuses(job) == BUILT
    assert provider.task(job).duration == 1200
    end(provider, job, wallet)


def test_a_killed_worker_leaves_no_build(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """The kernel ends a build with its worker; the next one builds again and removes the rest."""
    marker = f"2000{uuid.uuid4().int % 10**9}"
    job = assign(provider, space_of(tmp_path, f"RUN echo begun; sleep {marker}"), wallet)
    eventually("the step runs", lambda: "begun" in lines(provider, job), seconds=60)
    provider.kill("worker")
    eventually("the build is gone", lambda: not builds(marker), seconds=10)
    [left] = (provider.folder / "scratch").iterdir()
    os.utime(left, (0, 0))
    eventually("it is built again", lambda: builds(marker), seconds=90)
    end(provider, job, wallet)


def test_a_build_that_takes_too_long(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """The operator's limit of time ends a build, and the task says so."""
    job = assign(provider, space_of(tmp_path, "RUN echo begun; sleep 3000"), wallet)
    failed = provider.lagrange.wait_for(job.uuid, "failed", timeout_seconds=100)
    assert failed.body["reason"].startswith("build_timeout: ")
    assert failed.body["reason"].endswith("begun")


def test_render_shows_what_is_applied(
    provider: Provider, wallet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`render` names the image by the tag that the service pushes."""
    monkeypatch.setenv("CP_PATH", str(provider.folder))
    result = CliRunner().invoke(main, ["render", str(space_of(tmp_path)), "--wallet", wallet])
    assert result.exit_code == 0, result.output
    assert f"image: {REGISTRY}/lagrange/" in result.output
    assert "containerPort: 8080" in result.output
