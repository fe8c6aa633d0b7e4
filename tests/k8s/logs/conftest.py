"""Tasks on the simulated cluster, and their logs."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from k8s.api.client import Cluster
from k8s.logs import Extent, Filter, TaskLog, task
from tests.support.task_logs import Show, Shown, Task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """List pods more often than in production."""
    monkeypatch.setattr(task, "POLL_SECONDS", 0.4)


@pytest.fixture(name="task")
def a_task(simulated: Any) -> Task:
    """A task on the simulated cluster, which has nothing yet."""
    new_task = Task(simulated.cluster)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": new_task.namespace}}
    new_task.cluster.apply(f"/api/v1/namespaces/{new_task.namespace}", manifest)
    return new_task


@pytest.fixture
def show() -> Iterator[Show]:
    """Start reading the log of a task; all of its threads must end with the test."""
    started: list[TaskLog] = []

    def start(
        cluster: Cluster,
        namespace: str,
        task_id: str,
        *,
        filter_: Filter | None = None,
        **more: Any,
    ) -> Shown:
        extent = Extent(follow=more.pop("follow", True), last_lines=more.pop("last_lines", 1000))
        log = TaskLog(
            cluster,
            namespace,
            task_id,
            extent=extent,
            filter_=filter_ or Filter(),
            ready=threading.Event(),
            **more,
        )
        started.append(log)
        log.start()
        return Shown(log)

    yield start
    for log in started:
        log.stop()
        assert log.join(20), "a thread did not end"
