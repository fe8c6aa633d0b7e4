"""The logs of a task on the simulated cluster."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from k8s.logs import Filter, session
from tests.k8s.logs.conftest import Show, Task

FAST: dict[str, Any] = {"env": [{"name": "SIMULATED_LINES_PER_SECOND", "value": "200"}]}


def numbers(texts: list[str]) -> list[int]:
    """The numbers of regular lines."""
    return [int(text.split()[1]) for text in texts if text.startswith("line ")]


def label(lines: list[str], component: str = "web") -> str:
    """The label of a component's container."""
    return next(word for line in lines if (word := line.split()[1]).startswith(f"[{component}-"))


def wait(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_container_of_every_pod(task: Task, show: Show) -> None:
    """Each line says when, by which pod and container, and what; none is missing or told twice."""
    task.deploy("web", **FAST)
    task.deploy("api", image="node")
    shown = show(task.cluster, task.namespace, task.id)
    lines = shown.until("line 300", "simulated: node runs")
    for line in lines:
        assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[\S+\] .", line)
    found = numbers(shown.texts(label(lines)))
    assert found == list(range(len(found)))


def test_the_last_lines_come_first(task: Task, show: Show) -> None:
    """Of what was written before, only as much is told as was asked for."""
    task.deploy(**FAST)
    first = show(task.cluster, task.namespace, task.id)
    first.until("line 300")
    shown = show(task.cluster, task.namespace, task.id, last_lines=5, follow=False)
    wait(lambda: (shown.read(), shown.log.done)[1])
    found = numbers(shown.texts(label(shown.read())))
    assert len(found) == 5
    assert found[0] > 290


def test_the_next_reader_goes_on_exactly_there(task: Task, show: Show) -> None:
    """Who knows how far another one read tells each line that came since, once."""
    task.deploy(**FAST)
    first = show(task.cluster, task.namespace, task.id)
    lines = first.until("line 100")
    first.log.stop()
    assert first.log.join(5)
    time.sleep(0.5)
    second = show(task.cluster, task.namespace, task.id, places=first.places)
    second.until("line 400")
    name = label(lines)
    found = numbers(first.texts(name)) + numbers(second.texts(name))
    assert found == list(range(len(found)))


def test_a_pod_that_takes_another_ones_place(task: Task, show: Show) -> None:
    """When a pod is replaced, the log goes on with the new one."""
    task.deploy(image="nginx:1")
    shown = show(task.cluster, task.namespace, task.id)
    shown.until("nginx:1 runs")
    task.deploy(image="nginx:2")
    lines = shown.until("nginx:2 runs")
    assert sum("nginx:1 runs" in line for line in lines) == 1
    assert len({line.split()[1] for line in lines if "runs" in line}) == 2


def test_restarts(task: Task, show: Show) -> None:
    """A container that is started again and again tells each of its lives, and why it waits."""
    task.deploy(image="crash-at-once")
    shown = show(task.cluster, task.namespace, task.id)
    lines = shown.until("crash-at-once ends", "keeps crashing", seconds=20)
    ends = [line for line in lines if "ends with exit code 1" in line]
    assert len(ends) == len({line.split()[0] for line in ends})


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"image": "missing/image"}, "cannot be pulled"),
        ({"resources": {"requests": {"cpu": "9999"}}}, "waits for a node: 0/1 nodes are available"),
        ({"envFrom": [{"secretRef": {"name": "absent"}}]}, 'secret "absent" not found'),
    ],
)
def test_what_a_pod_waits_for(
    task: Task, show: Show, container: dict[str, Any], words: str
) -> None:
    """A pod that cannot start yet is no error: what it waits for is told, once."""
    task.deploy(**container)
    shown = show(task.cluster, task.namespace, task.id)
    shown.until(words, seconds=20)
    time.sleep(2.5)
    told = [line.split(" ", 2)[2] for line in shown.read()]
    assert len(told) == len(set(told))
    assert all(line.split()[1] == "[provider]" for line in shown.lines)


def test_nobody_takes_what_is_read(task: Task, show: Show) -> None:
    """Who does not take what was read holds up the reading, so that it does not grow."""
    env = [
        {"name": "SIMULATED_LINES_PER_SECOND", "value": "20000"},
        {"name": "SIMULATED_LINE", "value": "x" * 200},
    ]
    task.deploy(env=env)
    shown = show(task.cluster, task.namespace, task.id)
    wait(lambda: any(one.session for one in shown.log._containers.values()))
    (one,) = shown.log._containers.values()
    assert one.session is not None
    wait(lambda: one.session and one.session._size > session.MAX_BUFFER_BYTES // 2)
    time.sleep(1)
    assert one.session._size <= 2 * session.MAX_BUFFER_BYTES
    shown.until(" 30000")
    found = [int(text.split()[-1]) for text in shown.texts(label(shown.lines)) if "xx" in text]
    assert found == list(range(found[0], found[-1] + 1))
    started = time.monotonic()
    shown.log.stop()
    assert shown.log.join(2)
    assert time.monotonic() - started < 1


def test_a_quiet_log_ends_at_once(task: Task, show: Show) -> None:
    """A log that is stopped leaves no thread behind, even one that waits for a quiet container."""
    task.deploy()
    shown = show(task.cluster, task.namespace, task.id)
    shown.until("nginx runs")
    started = time.monotonic()
    shown.log.stop()
    assert shown.log.join(2)
    assert time.monotonic() - started < 1


def test_a_cluster_that_is_away(start: Any, show: Show) -> None:
    """That the cluster does not answer is told once, and what is read goes on when it does."""
    server = start()
    task = Task(server.cluster)
    shown = show(task.cluster, task.namespace, task.id)
    wait(lambda: shown.log.pods == 0)
    server.end()
    (line,) = shown.until("the cluster does not tell the pods", seconds=30)
    assert line.endswith("trying again")


def test_the_filter_sees_everything(task: Task, show: Show) -> None:
    """Nothing is told that the filter has not passed."""
    env = [
        {"name": "SIMULATED_LINES_PER_SECOND", "value": "50"},
        {"name": "SIMULATED_LINE", "value": "line hunter2"},
    ]
    task.deploy(env=env)
    struck = Filter(lambda part: part.replace(b"hunter2", b"***"), 7)
    shown = show(task.cluster, task.namespace, task.id, filter_=struck)
    assert "hunter2" not in "".join(shown.until("line *** 50"))
