"""Whole providers on the simulated cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.provider import Provider, running
from tests.support.simulated_cluster import SimulatedCluster, serving
from tests.support.spaces import SPACE


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space of three services in two kinds of pod."""
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "deploy.yaml").write_text(SPACE)
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SimulatedCluster]:
    """A simulated cluster, which has four GPUs."""
    with serving(tmp_path / "simulated.kubeconfig") as cluster:
        yield cluster


@pytest.fixture
def provider(tmp_path: Path, cluster: SimulatedCluster) -> Iterator[Provider]:
    """A provider that runs, on the simulated cluster."""
    with running(tmp_path / "provider", Kubeconfig=str(cluster.kubeconfig)) as provider:
        yield provider
