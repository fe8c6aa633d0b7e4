"""A provider with a real Redis and the simulated cluster, on which v0.3.0 has left things."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import Context
from tests.support.simulated_cluster import SimulatedCluster, provider, serving


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    """A simulated cluster of its own, of which adoption reads all."""
    with serving(tmp_path_factory.mktemp("simulated") / "kubeconfig") as cluster:
        yield cluster


@pytest.fixture
def context(tmp_path: Path, cluster: SimulatedCluster, redis_url: str) -> Iterator[Context]:
    """A provider on that cluster, with an empty Redis."""
    with provider(tmp_path, cluster, redis_url) as context:
        yield context
