"""The simulated cluster as a process of its own, and a provider that uses it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.context import Context, open_context
from app.demo.cluster import command
from app.processes import supervisor
from k8s.api import client
from k8s.api.client import Cluster
from tests.support import market
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import subprocess

_STOP_SECONDS = 10


@dataclass(frozen=True)
class SimulatedCluster:
    """A simulated cluster that runs."""

    process: "subprocess.Popen[bytes]"
    kubeconfig: Path

    @property
    def cluster(self) -> Cluster:
        """A client of it."""
        return client.connect(str(self.kubeconfig))

    def end(self, by: int = signal.SIGTERM) -> int:
        """End the process and return its status."""
        self.process.send_signal(by)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def serving(kubeconfig: Path, **options: object) -> Iterator[SimulatedCluster]:
    """Run a simulated cluster that writes this kubeconfig; the options are those of `serve`."""
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    process = supervisor.start(command(kubeconfig, **options), environment)

    def serves() -> bool:
        assert process.poll() is None, "it ended at once"
        return kubeconfig.exists()

    try:
        eventually("the simulated cluster serves", serves)
        yield SimulatedCluster(process, kubeconfig)
    finally:
        supervisor.end(process, _STOP_SECONDS)


@contextmanager
def provider(
    folder: Path, cluster: SimulatedCluster, redis_url: str, *, more: str = ""
) -> Iterator[Context]:
    """Open a provider on a simulated cluster; `more` is TOML, first of all of [CLUSTER]."""
    table = f'[CLUSTER]\nKubeconfig = "{cluster.kubeconfig}"\n{more}'
    (folder / "config.toml").write_text(market.configuration(redis_url, more=table))
    context = open_context(str(folder))
    yield context
    context.redis.close()
