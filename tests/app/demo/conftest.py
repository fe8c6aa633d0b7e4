"""A simulated cluster as a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import SIMULATED_KUBECONFIG
from k8s.api.client import Cluster, connect


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """How to reach a simulated cluster."""
    folder = tmp_path_factory.mktemp("simulated")
    command = [sys.executable, "-m", "app.cli", "simulator"]
    with subprocess.Popen(command, env={**os.environ, "CP_PATH": str(folder)}) as process:
        found = folder / SIMULATED_KUBECONFIG
        deadline = time.monotonic() + 20
        while not found.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield found
        process.terminate()


@pytest.fixture
def cluster(kubeconfig: Path) -> Cluster:
    """The simulated cluster."""
    return connect(str(kubeconfig))
