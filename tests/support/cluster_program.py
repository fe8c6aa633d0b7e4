"""The program that starts the tests' own cluster, and makes on it what a test needs besides.

It lies beside the project where that is developed; elsewhere a test that needs it is skipped, with
a line that names what the cluster has to have.
"""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app import config
from tests.support import registry_proxy
from tests.support.documents import ROOT

BASE = "library/python:3.11-slim"
BUILDKIT = config.Build().buildkit_image
_PROGRAM = ROOT.parent / "shared" / "cluster" / "cluster"
_LOCK = Path(tempfile.gettempdir()) / "computing-provider-cluster.lock"


def is_there() -> bool:
    """Tell whether the program is there, and runs the cluster that is tested."""
    return bool(registry_proxy.REGISTRY) and _PROGRAM.exists()


def prepare(*arguments: str, needs: str, there: Callable[[], bool] = lambda: False) -> None:
    """Call the program, or skip the test.

    Args:
        arguments: Of the program.
        needs: Said where the program is not.
        there: Tells that there is nothing to do; asked again once it is this process's turn.
    """
    if there():
        return
    if not is_there():
        pytest.skip(f"needs {needs}")
    _run_alone([str(_PROGRAM), *arguments], there)


def prepare_base_image() -> None:
    """Have the cluster's registry hold the base of the provider's own image, or skip the test."""
    name = BASE.removeprefix("library/")
    packages = ("python3", "python3-pip", "python3-venv")
    prepare(
        *("base-image", name, "--packages", *packages),
        needs=f"{BASE} in the registry of CLUSTER_REGISTRY",
        there=lambda: registry_proxy.holds(BASE),
    )


def prepare_buildkit() -> None:
    """Have the cluster's registry hold rootless BuildKit, or skip the test; it takes minutes."""
    if registry_proxy.holds(BUILDKIT):
        return
    if not shutil.which("go"):
        pytest.skip(f"needs {BUILDKIT} in the registry of CLUSTER_REGISTRY, or Go to build it")
    _run_alone([str(ROOT / ".ci" / "buildkit-image")], lambda: registry_proxy.holds(BUILDKIT))


def _run_alone(command: list[str], there: Callable[[], bool]) -> None:
    """Run a command unless another test process has; one at a time."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
