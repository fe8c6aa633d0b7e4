"""Task logs on the simulated cluster."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from k8s.logs import Filter, session
from tests.support.task_logs import Show, Task

FAST: dict[str, Any] = {"env": [{"name": "SIMULATED_LINES_PER_SECOND", "value": "200"}]}

_PATIENCE_SECONDS = 20
_AT_ONCE_SECONDS = 5  # A read of a quiet log waits far longer.


def numbers(texts: list[str]) -> list[int]:
    """Return the numbers of regular lines."""
    return [int(text.split()[1]) for text in texts if text.startswith("line ")]


def label(lines: list[str], component: str = "web") -> str:
    """Return the label of a component's container."""
    return next(word for line in lines if (word := line.split()[1]).startswith(f"[{component}-"))


def wait(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_container_of_every_pod(task: Task, show: Show) -> None:
    """Each line has time stamp, container and text; none is missing or repeated."""
    task.deploy("web", **FAST)
    task.deploy("api", image="node")
    shown = show(task.cluster, task.namespace, task.id)
    lines = shown.until("line 300", "simulated: node runs")
    for line in lines:
        assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[\S+\] .", line)
    sequence = numbers(shown.texts(label(lines)))
    assert sequence == list(range(len(sequence)))


def test_the_last_lines_come_first(task: Task, show: Show) -> None:
    """Of earlier lines only as many are read as requested."""
    task.deploy(**FAST)
    first = show(task.cluster, task.namespace, task.id)
    first.until("line 300")
    shown = show(task.cluster, task.namespace, task.id, last_lines=5, follow=False)
    wait(lambda: (shown.read(), shown.log.done)[1])
    sequence = numbers(shown.texts(label(shown.read())))
    assert len(sequence) == 5
    assert sequence[0] > 290


def test_the_next_reader_goes_on_exactly_there(task: Task, show: Show) -> None:
    """A reader that starts at another one's position reads each later line once."""
    task.deploy(**FAST)
    first = show(task.cluster, task.namespace, task.id)
    lines = first.until("line 100")
    first.log.stop()
    assert first.log.join(_PATIENCE_SECONDS)
    time.sleep(0.5)
    second = show(task.cluster, task.namespace, task.id, positions=first.positions)
    second.until("line 400")
    name = label(lines)
    sequence = numbers(first.texts(name)) + numbers(second.texts(name))
    assert sequence == list(range(len(sequence)))


def test_a_pod_that_takes_another_ones_place(task: Task, show: Show) -> None:
    """The log continues with the new pod when a pod is replaced."""
    task.deploy(image="nginx:1")
    shown = show(task.cluster, task.namespace, task.id)
    shown.until("nginx:1 runs")
    task.deploy(image="nginx:2")
    lines = shown.until("nginx:2 runs")
    assert sum("nginx:1 runs" in line for line in lines) == 1
    assert len({line.split()[1] for line in lines if "runs" in line}) == 2


def test_restarts(task: Task, show: Show) -> None:
    """A container that keeps restarting shows each of its runs, and why it is waiting."""
    task.deploy(image="crash-at-once")
    shown = show(task.cluster, task.namespace, task.id)
    lines = shown.until("crash-at-once ends", "keeps crashing", seconds=20)
    ends = [line for line in lines if "ends with exit code 1" in line]
    assert len(ends) == len({line.split()[0] for line in ends})


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"image": "missing/image"}, "cannot be pulled"),
        (
            {"resources": {"requests": {"cpu": "9999"}}},
            "is waiting for a node: 0/1 nodes are available",
        ),
        ({"envFrom": [{"secretRef": {"name": "absent"}}]}, 'secret "absent" not found'),
    ],
)
def test_what_a_pod_waits_for(
    task: Task, show: Show, container: dict[str, Any], words: str
) -> None:
    """A pod that cannot start yet is no error: the reason is shown, once."""
    task.deploy(**container)
    shown = show(task.cluster, task.namespace, task.id)
    shown.until(words, seconds=20)
    time.sleep(2.5)
    remarks = [line.split(" ", 2)[2] for line in shown.read()]
    assert len(remarks) == len(set(remarks))
    assert all(line.split()[1] == "[provider]" for line in shown.lines)


def test_nobody_takes_what_is_read(task: Task, show: Show) -> None:
    """A consumer that takes nothing pauses the reading, so that buffers stay bounded."""
    env = [
        {"name": "SIMULATED_LINES_PER_SECOND", "value": "20000"},
        {"name": "SIMULATED_LINE", "value": "x" * 200},
    ]
    task.deploy(env=env)
    shown = show(task.cluster, task.namespace, task.id)
    wait(lambda: any(shown.log._sessions()))
    (reading,) = shown.log._sessions()
    wait(lambda: reading._size > session.MAX_BUFFER_BYTES // 2)
    time.sleep(1)
    assert reading._size <= 2 * session.MAX_BUFFER_BYTES
    shown.until(" 30000")
    sequence = [int(text.split()[-1]) for text in shown.texts(label(shown.lines)) if "xx" in text]
    assert sequence == list(range(sequence[0], sequence[-1] + 1))
    started = time.monotonic()
    shown.log.stop()
    assert shown.log.join(_PATIENCE_SECONDS)
    assert time.monotonic() - started < _AT_ONCE_SECONDS


def test_a_quiet_log_ends_at_once(task: Task, show: Show) -> None:
    """A stopped log leaves no thread behind, even one that waits for a quiet container."""
    task.deploy()
    shown = show(task.cluster, task.namespace, task.id)
    shown.until("nginx runs")
    started = time.monotonic()
    shown.log.stop()
    assert shown.log.join(_PATIENCE_SECONDS)
    assert time.monotonic() - started < _AT_ONCE_SECONDS


def test_a_cluster_that_is_away(start: Any, show: Show) -> None:
    """An unreachable cluster is remarked on once, and looked for again."""
    server = start()
    task = Task(server.cluster)
    shown = show(task.cluster, task.namespace, task.id)
    wait(lambda: shown.log.pods == 0)
    server.end()
    (line,) = shown.until("the pods cannot be listed", seconds=30)
    assert line.endswith("trying again")


def test_the_filter_sees_everything(task: Task, show: Show) -> None:
    """Nothing is shown that has not passed the filter."""
    env = [
        {"name": "SIMULATED_LINES_PER_SECOND", "value": "50"},
        {"name": "SIMULATED_LINE", "value": "line hunter2"},
    ]
    task.deploy(env=env)
    struck = Filter(lambda part: part.replace(b"hunter2", b"***"), 7)
    shown = show(task.cluster, task.namespace, task.id, filter_=struck)
    assert "hunter2" not in "".join(shown.until("line *** 50"))
