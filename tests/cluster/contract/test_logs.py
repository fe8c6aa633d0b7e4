"""Logs from the simulated API server and from a real one, with one outcome."""

import re
import threading
import time

import pytest

from k8s.api import responses
from k8s.api.client import Cluster
from k8s.api.errors import Refused, Unavailable
from tests.support.contract_objects import (
    deployment,
    deployment_of,
    is_ready,
    live_pods,
    pods_of,
    wait,
)

SCRIPT = "trap exit TERM; i=0; while true; do echo line $i; i=$((i+1)); sleep 0.1 & wait $!; done"
LINE = re.compile(rb"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) line (\d+)")


@pytest.fixture(name="path")
def chatty(cluster: Cluster, namespace: str) -> str:
    """The path of the log of a container that has written some lines, ten a second."""
    env = [{"name": "SIMULATED_LINES_PER_SECOND", "value": "10"}]
    manifest = deployment(namespace, 1, command=["sh", "-c", SCRIPT], env=env)
    cluster.apply(deployment_of(namespace), manifest)
    wait(lambda: any(map(is_ready, live_pods(cluster, namespace))))
    time.sleep(1)
    return f"{pods_of(namespace)}/{live_pods(cluster, namespace)[0].metadata.name}/log"


def read(cluster: Cluster, path: str, **query: str) -> list[tuple[str, int]]:
    """Return time stamps and numbers of what has been written."""
    with cluster.stream(path, read_timeout_seconds=10, timestamps="true", **query) as lines:
        matches = [LINE.fullmatch(line) for line in lines if b"simulated" not in line]
    return [(match[1].decode(), int(match[2])) for match in matches if match]


def test_time_stamps(cluster: Cluster, path: str) -> None:
    """Lines have the nanosecond they were written in, and can be asked for from a second on."""
    whole = read(cluster, path)
    assert [number for _, number in whole] == list(range(len(whole)))
    since = whole[-3][0]
    expected = [(stamp, number) for stamp, number in whole if stamp[:19] >= since[:19]]
    assert read(cluster, path, sinceTime=since)[: len(expected)] == expected
    last = read(cluster, path, tailLines="2")
    assert [number for _, number in last] == [last[0][1], last[0][1] + 1]
    assert last[0][1] >= len(whole) - 2
    with pytest.raises(Refused) as refused:
        read(cluster, path, sinceTime="yesterday")
    assert refused.value.status == 400


def test_following(cluster: Cluster, namespace: str, path: str) -> None:
    """A log that is followed begins where it is asked to, and ends with its container."""
    since = read(cluster, path)[3]
    query = {"follow": "true", "timestamps": "true", "sinceTime": since[0]}
    with cluster.stream(path, read_timeout_seconds=10, **query) as lines:
        told = [line for _, line in zip(range(20), lines, strict=False)]
        cluster.delete(deployment_of(namespace))
        told += lines
    matches = [LINE.fullmatch(line) for line in told if b"simulated" not in line]
    numbers = [int(match[2]) for match in matches if match]
    assert len(numbers) >= 20 - 1
    assert numbers[0] <= since[1]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_ended_from_elsewhere(cluster: Cluster, path: str) -> None:
    """A log that another thread is reading can be ended at once."""
    with cluster.response(path, read_timeout_seconds=30, follow="true") as response:
        started = time.monotonic()
        threading.Timer(0.5, response.shutdown).start()
        with pytest.raises(Unavailable):
            list(responses.chunks(response))
    assert time.monotonic() - started < 3
