"""Fixtures that read short deployment files for a provider that offers everything."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from app.spaces import ldl
from k8s.workload import Capabilities
from tests.support import spaces

HOST = "abc1234567.provider.example"
EVERYTHING = Capabilities(
    node_ports=True,
    load_balancers=True,
    storage_classes={"*": "standard"},
    domain="provider.example",
)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., ldl.Deployment]:
    """A function that reads a dedented file; keyword arguments go to `ldl.read`."""

    def reading(text: str, files: Mapping[str, bytes] = {}, **arguments: Any) -> ldl.Deployment:
        defaults: dict[str, Any] = {"hardware": None, "capabilities": EVERYTHING, "host": HOST}
        stored = spaces.stored(tmp_path / "files", files)
        return ldl.read(dedent(text).encode(), files=stored, **(defaults | arguments))

    return reading


@pytest.fixture
def refusals(read: Callable[..., ldl.Deployment]) -> Callable[..., list[str]]:
    """The refusals of a file that must not be accepted, as lines."""

    def lines(text: str, **arguments: Any) -> list[str]:
        with pytest.raises(ldl.InvalidDeployment) as refused:
            read(text, **arguments)
        return [str(problem) for problem in refused.value.problems]

    return lines


@pytest.fixture
def warnings(read: Callable[..., ldl.Deployment]) -> Callable[..., list[str]]:
    """The warnings of a file that must be accepted, as lines."""

    def lines(text: str, **arguments: Any) -> list[str]:
        return [str(problem) for problem in read(text, **arguments).warnings]

    return lines


@pytest.fixture
def web() -> Callable[[str], str]:
    """A file with one service `web` that runs once; the argument is the rest of the service."""

    def with_service(rest: str) -> str:
        service = indent(dedent(rest).strip(), "    ")
        head = "version: '2.0'\nservices:\n  web:\n    image: nginx\n"
        return f"{head}{service}\ndeployment:\n  web:\n    lagrange: {{count: 1}}\n"

    return with_service
