"""Builds on a real cluster: their Dockerfile, their limits, and the tests' needs."""

import os
from pathlib import Path

import pytest

from k8s.api import url_paths
from k8s.api.client import Cluster
from k8s.jobs import build as job_build
from k8s.naming import names
from tests.support.registry_proxy import REGISTRY

BUSYBOX = Path("/bin/busybox")
MEMORY_BYTES, DISK_BYTES = 512 << 20, 700 << 20
DOCKERFILE = """
# syntax=docker/dockerfile:that-nobody-has
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY . /www/
{step}
EXPOSE 8080
CMD ["/www/start.sh"]
"""


NEEDS = [
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG has to name a cluster"),
    pytest.mark.skipif(not REGISTRY, reason="CLUSTER_REGISTRY has to name the cluster's registry"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
    pytest.mark.usefixtures("buildkit_image"),
    pytest.mark.timeout(240, func_only=True),  # The image may take minutes.
]


def left(cluster: Cluster, task_id: str) -> list[str]:
    """Return what the cluster has of a task's builds."""
    selector = f"{job_build.BUILD}={names.label_value(task_id)}"
    return [
        f"{kind}/{one['metadata']['name']}"
        for kind in ("Job", "Pod", "Secret")
        for one in cluster.list(url_paths.collection(kind, job_build.NAMESPACE), selector=selector)
    ]
