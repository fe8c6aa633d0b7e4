"""Orders for builds, and a registry that answers whatever a test wants."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.spaces.images import (
    BuildContext,
    BuildLimits,
    BuildRequest,
    Registry,
)
from tests.support.fake_registry import FakeRegistry, serving


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A registry."""
    with serving() as fake:
        yield fake


@pytest.fixture
def registry(fake: FakeRegistry) -> Registry:
    """The operator's configuration of it."""
    return Registry(host=fake.host, plain_http=True, user="operator", password="hunter2")


@pytest.fixture
def order(tmp_path: Path, registry: Registry) -> BuildRequest:
    """A build of an empty context."""
    folder, context = tmp_path / "build", tmp_path / "files"
    folder.mkdir()
    context.mkdir()
    limits = BuildLimits(seconds=20, memory_bytes=1 << 30, cores=1.5, disk_bytes=1 << 24)
    return BuildRequest(
        image=f"{registry.place}/lagrange/space:digest",
        context=BuildContext(context, "Dockerfile", "digest"),
        folder=folder,
        cgroup="computing-provider-test",
        registry=registry,
        limits=limits,
    )
