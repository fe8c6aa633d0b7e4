"""The simulated cluster for tests that need no whole provider."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.context import SIMULATED_KUBECONFIG, Context, open_context
from app.processes import supervisor
from tests.support import market
from tests.support.provider import eventually


@contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Run the simulated cluster of a provider's folder."""
    environment = {**os.environ, "CP_PATH": str(folder)}
    process = supervisor.start(supervisor.own("simulator"), environment)
    try:
        eventually("the cluster serves", (folder / SIMULATED_KUBECONFIG).exists)
        yield folder
    finally:
        supervisor.end(process, 5)


@contextmanager
def provider(folder: Path, redis_url: str, *, more: str = "") -> Iterator[Context]:
    """Open a provider on the simulated cluster of a folder; `more` is TOML."""
    table = f"[CLUSTER]\nSimulated = true\n{more}"
    (folder / "config.toml").write_text(market.configuration(redis_url, more=table))
    found = open_context(str(folder))
    yield found
    found.redis.close()
