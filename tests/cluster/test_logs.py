"""Logs of a task on a real cluster, as its watchers see them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.api import url_paths
from k8s.naming import labels, names
from tests.support.log_watcher import path, watching
from tests.support.provider import Provider, running
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.timeout(240),
]

SECRET = "registry-password-7d1f"
SPACE = """
version: "2.0"
services:
  web:
    image: busybox:latest
    depends-on: [side]
    command: [sh, -c]
    args:
      - |
        trap "exit 0" TERM
        i=0
        while true; do echo "web $i"; i=$((i+1)); sleep 0.02 & wait $!; done
    expose:
      - {port: 8080, as: 80, to: [{global: true}]}
  side:
    image: busybox:latest
    command: [sh, -c]
    args:
      - |
        httpd -p 8080
        echo "the password is SECRET"
        head -c 50000 /dev/zero | tr "\\0" x
        echo
        trap "exit 0" TERM
        sleep 9999 & wait
  stuck:
    image: busybox:does-not-exist
    command: [sleep, "9999"]
profiles:
  compute:
    web: {resources: {cpu: {units: 100m}, memory: {size: 64Mi}, storage: {size: 64Mi}}}
deployment:
  web: {lagrange: {profile: web, count: 1}}
  side: {lagrange: {profile: web, count: 1}}
  stuck: {lagrange: {profile: web, count: 1}}
""".replace("SECRET", SECRET)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider on the cluster that KUBECONFIG names, with a secret."""
    folder = tmp_path_factory.mktemp("provider") / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CP_REGISTRY_PASSWORD", SECRET)
        with running(folder, Kubeconfig=os.environ["KUBECONFIG"]) as found:
            yield found


def test_a_task_from_its_start_to_its_end(provider: Provider, wallet: str, tmp_path: Path) -> None:
    """Each container's lines once, across a replaced pod; what waits says why; no secret."""
    (tmp_path / "deploy.yaml").write_text(SPACE)
    job = provider.assign(tmp_path, wallet=wallet)
    address = f"ws://127.0.0.1:{provider.port}{path(provider.context, job.uuid)}"
    with watching(address) as watcher:
        watcher.until("web 100", "[secret]", "stuck cannot be pulled", seconds=60)
        (first,) = {line.split()[1] for line in watcher.lines if re.search(r"\] web \d+$", line)}
        _replace(provider, job.uuid, wallet)
        before = len(watcher.lines)
        eventually(
            "lines of another pod",
            lambda: watcher.read(1) and [x for x in watcher.lines[before:] if _other(x, first)],
            seconds=60,
        )
        watcher.pass_time(5)
        told = [line for line in watcher.lines if line.split()[1] == first]
        # The kubelet says in its own words that a container is gone.
        numbers = [int(line.split()[-1]) for line in told if "unable to retrieve" not in line]
        assert numbers == list(range(len(numbers)))
        provider.terminate(job)
        assert watcher.end(60) == (1000, "the task is terminated (ended by the tenant)")
    said = "\n".join(watcher.lines)
    assert SECRET not in said
    assert len(watcher.pings) > 2
    longest = max(watcher.lines, key=len)
    assert longest.endswith("xxx")
    assert len(longest) < 20_000


def _other(line: str, first: str) -> bool:
    label = line.split()[1]
    return label.startswith("[web-") and label != first and re.search(r"web \d+$", line) is not None


def _replace(provider: Provider, task_id: str, wallet: str) -> None:
    """Delete the task's pods of `web`; its Deployment makes others."""
    cluster = provider.context.cluster
    selector = f"{labels.task_selector(task_id)},{labels.COMPONENT}=web"
    found = cluster.list(url_paths.collection("Pod", names.namespace(wallet)), selector=selector)
    for pod in found:
        cluster.delete(url_paths.object_path(pod))
