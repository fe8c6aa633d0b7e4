"""Whole providers on the simulated cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.provider import Provider, running
from tests.support.simulated_cluster import SimulatedCluster, serving

SPACE = """
version: "2.0"
services:
  web:
    image: nginx:1.27
    depends-on: [cache]
    expose:
      - {port: 80, to: [{global: true}]}
  cache:
    image: redis:7
    expose:
      - {port: 6379}
  api:
    image: node:22
    expose:
      - {port: 3000, to: [{service: web}]}
deployment:
  web: {lagrange: {count: 1}}
  cache: {lagrange: {count: 1}}
  api: {lagrange: {count: 2}}
"""


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
