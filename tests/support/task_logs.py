"""Tasks on the simulated cluster, and their logs."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from k8s.api.client import Cluster
from k8s.logs import LogPosition, TaskLog
from k8s.naming import labels


@dataclass
class Task:
    """A task in a namespace of its own."""

    cluster: Cluster
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def namespace(self) -> str:
        """The name of its namespace."""
        return f"logs-{self.id[:8]}"

    def deploy(self, component: str = "web", **container: Any) -> str:
        """Apply a Deployment; return its path."""
        marks = {
            labels.MANAGED_BY: labels.MANAGER,
            labels.TASK: self.id,
            labels.COMPONENT: component,
        }
        spec = {"containers": [{"name": component, "image": "nginx", **container}]}
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": component},
            "spec": {
                "selector": {"matchLabels": marks},
                "template": {"metadata": {"labels": marks}, "spec": spec},
            },
        }
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{component}"
        self.cluster.apply(path, manifest)
        return path


@dataclass
class Shown:
    """A task log under test, and the lines taken from it."""

    log: TaskLog
    lines: list[str] = field(default_factory=list)
    positions: dict[str, LogPosition] = field(default_factory=dict)

    def read(self) -> list[str]:
        """Take the available lines; return all lines taken so far."""
        for piece in self.log.take():
            self.lines += piece.lines.decode().split("\n")[:-1]
            if piece.source:
                self.positions[piece.source.key] = piece.position
        return self.lines

    def until(self, *words: str, seconds: float = 15) -> list[str]:
        """Read until each of these words has occurred; return all lines."""
        deadline = time.monotonic() + seconds
        left, checked = set(words), 0
        while True:
            lines = self.read()
            left -= {word for word in left if any(word in line for line in lines[checked:])}
            checked = len(lines)
            if not left:
                return lines
            assert time.monotonic() < deadline, lines[-10:]
            time.sleep(0.02)

    def texts(self, label: str) -> list[str]:
        """Return the lines of one container without stamps and labels."""
        return [line.split(" ", 2)[2] for line in self.lines if line.split(" ", 2)[1] == label]


Show = Callable[..., Shown]
