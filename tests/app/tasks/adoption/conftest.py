"""A provider with a real Redis and the simulated cluster, on which v0.3.0 has left things."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import Context
from tests.support import simulated_cluster


@pytest.fixture(scope="module")
def cluster_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a simulated cluster that runs."""
    with simulated_cluster.serving(tmp_path_factory.mktemp("cluster")) as folder:
        yield folder


@pytest.fixture
def context(cluster_folder: Path, redis_url: str) -> Iterator[Context]:
    """A provider on that cluster, with an empty memory."""
    with simulated_cluster.provider(cluster_folder, redis_url) as found:
        yield found
