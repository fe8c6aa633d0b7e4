"""Pushes to a registry that asks who we are: a real one, behind a proxy that checks."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import Permanent
from app.spaces import cgroups, images, scratch
from app.spaces.images import BuildRequest, Registry
from app.spaces.images.build_request import BuildProgram
from app.spaces.images.detect import PROGRAMS
from tests.support import registry_proxy
from tests.support.registry_proxy import REGISTRY

BUSYBOX = Path("/bin/busybox")
LOCAL = [one for one in PROGRAMS if one.runs_steps]

pytestmark = [
    pytest.mark.skipif(not REGISTRY, reason="CLUSTER_REGISTRY has to name a registry"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="needs a static busybox at /bin/busybox"),
]


@pytest.fixture(scope="module")
def private() -> Iterator[str]:
    """The address of a registry that asks for credentials."""
    with registry_proxy.serving() as found:
        yield found.host


@pytest.fixture
def order(tmp_path: Path, private: str) -> Iterator[BuildRequest]:
    """A build of one file."""
    with scratch.folder(tmp_path, "space") as folder:
        files = folder / "files"
        files.mkdir()
        shutil.copy(BUSYBOX, files / "busybox")
        (files / "Dockerfile").write_text(f"FROM scratch\nCOPY busybox /\nLABEL test={tmp_path}\n")
        paths = ["Dockerfile", "busybox"]
        context = images.prepare(files, paths, "Dockerfile", max_bytes=64 << 20)
        registry = Registry(host=private, plain_http=True, user="operator", password="hunter2")
        (folder / "build").mkdir()
        yield BuildRequest(
            image=images.name(registry, "4f1e7a52-58a4-4e0d-9f0e-1f51d3bb8a11", context.digest),
            context=context,
            folder=folder / "build",
            cgroup=cgroups.name(folder),
            registry=registry,
            limits=images.BuildLimits(
                seconds=60, memory_bytes=1 << 30, cores=1, disk_bytes=1 << 30
            ),
            network="none",
        )


def build(order: BuildRequest, builder: BuildProgram, log: list[str]) -> str:
    """Build and push."""
    if not shutil.which(builder.program):
        pytest.skip(f"needs {builder.program}")
    return images.ProgramBuilder(builder).build(
        order,
        check=lambda: None,
        tell=log.append,
        pushing=lambda: log.append("(pushing)"),
    )


@pytest.mark.parametrize("builder", LOCAL, ids=lambda one: one.program)
def test_the_operators_credentials(order: BuildRequest, builder: BuildProgram) -> None:
    """The image arrives under the digest that is returned; no log tells the password."""
    log: list[str] = []
    digest = build(order, builder, log)
    assert digest == asyncio.run(order.registry.digest(order.image))
    assert digest.startswith("sha256:")
    assert "(pushing)" in log
    assert not any("hunter2" in line for line in log)


@pytest.mark.parametrize("builder", LOCAL, ids=lambda one: one.program)
def test_credentials_that_do_not_do(order: BuildRequest, builder: BuildProgram) -> None:
    """The task fails: the registry refuses, and the operator is told where to look."""
    wrong = replace(order.registry, password="hunter3")
    log: list[str] = []
    with pytest.raises(Permanent) as caught:
        build(replace(order, registry=wrong), builder, log)
    assert caught.value.category in {"push_refused", "registry_refused"}
    assert "hunter3" not in "".join(log) + str(caught.value)
