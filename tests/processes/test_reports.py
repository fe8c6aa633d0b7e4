"""Reports of real processes: two replicas of the clock, one of which is killed or stopped."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from app.processes import supervisor
from tests.support.provider import Provider
from tests.support.waiting import eventually


def count(provider: Provider, path: str) -> int:
    """Return how often something was reported."""
    with provider.lagrange.records.changed:
        return sum(one.path == path for one in provider.lagrange.records.reports)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_a_replica_that_goes_is_replaced(provider: Provider, by: signal.Signals) -> None:
    """One replica of two reports; when it goes the other takes over within seconds."""
    registrations = provider.lagrange.records.reports
    eventually("the provider is registered", lambda: count(provider, "/cp"))
    assert registrations[0].body["node_id"] == provider.context.identity.node_id
    with ExitStack() as stack:
        environment = {**os.environ, "CP_PATH": str(provider.folder)}
        second = supervisor.start(supervisor.own("clock"), environment)
        stack.callback(supervisor.end, second, 10)
        time.sleep(3)
        assert count(provider, "/cp") == 1, "both report"
        clock = next(one for one in provider.supervisor.children if one.name == "clock")
        clock.start_at = time.monotonic() + 600  # It stays away.
        clock.failures = 100
        assert clock.process
        pid = clock.process.pid
        os.kill(pid, by)
        if by is signal.SIGSTOP:
            stack.callback(os.kill, pid, signal.SIGCONT)
        eventually("the other registers", lambda: count(provider, "/cp") > 1, seconds=12)


def test_what_is_reported(provider: Provider) -> None:
    """An idle provider registers as Active and tells what its cluster has."""
    eventually("a summary", lambda: count(provider, "/cp/summary"))
    eventually("a registration", lambda: count(provider, "/cp"))
    told = {one.path: one.body for one in provider.lagrange.records.reports}
    assert told["/cp"]["status"] == "Active"
    (machine,) = told["/cp/summary"]["cluster_info"]
    assert machine["cpu"]["total"] == "64"
    assert machine["gpu"]["attached_gpus"] == 4
