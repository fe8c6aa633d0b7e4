"""The end of images that nothing uses, on a real Redis."""

import hashlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.context import Context, open_context
from app.errors import Permanent, Temporary
from app.spaces import planning
from app.spaces.dockerfile import Dockerfile
from app.store import leases
from app.store.job_data import JobData
from app.store.sync import encoded
from app.tasks import transitions
from app.tasks.cleanup import image_gc
from tests.support.fake_registry import FakeRegistry, serving

MANIFEST = b"{}"
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
OLD = 31 * 86400


@dataclass
class Provider:
    """A provider with a registry."""

    context: Context
    registry: FakeRegistry

    def image(self, *, age: float) -> str:
        """Return an image that was last used so many seconds ago."""
        name = f"{self.registry.host}/lagrange/{uuid.uuid4()}:tag"
        with image_gc.in_use(self.context, name):
            image_gc.record(self.context, name, DIGEST)
        self.context.redis.zadd(image_gc._IMAGES, {name: time.time() - age})
        return name

    def known(self) -> list[str]:
        """Return the images that are remembered."""
        connection: Any = self.context.redis
        return [name.decode() for name in connection.zrange(image_gc._IMAGES, 0, -1)]

    def run(self, image: str) -> None:
        """Have a task run this image."""
        task_id = str(uuid.uuid4())
        job = JobData(uuid=task_id, duration=900, job_source_uri="https://a.example/spaces/x")
        now = time.time()
        born = transitions.accepted(
            job, host=f"{task_id[:8]}.example.com", now=now, start_timeout_seconds=900
        )
        self.context.store.commit(born)
        names = planning.WorkloadNames(
            task_id=task_id, space_uuid=task_id, space_name="x", wallet="0x0", host="h.example"
        )
        reference = f"{image.rpartition(':')[0]}@{DIGEST}"
        plan = planning.plan_image(names, reference, Dockerfile(80), hardware=None)
        task = self.context.store.get(task_id)
        assert task is not None
        change = transitions.deploying(
            task, now=now, workload=encoded(plan.workload), demands=b"[]", guards=(), notes=()
        )
        self.context.store.commit(change)


@pytest.fixture
def provider(tmp_path: Path, redis_url: str) -> Iterator[Provider]:
    """A provider whose registry has every image."""
    with serving() as registry:
        registry.answer = lambda _path, _auth: (200, {}, MANIFEST)
        (tmp_path / "config.toml").write_text(
            f'[API]\nRedisUrl = "{redis_url}"\n[Registry]\nServerAddress = "{registry.url}"\n'
        )
        yield Provider(open_context(str(tmp_path)), registry)


def test_what_is_old_goes(provider: Provider) -> None:
    """An image that nothing used for long is deleted by its digest, a newer one is not."""
    old, new = provider.image(age=OLD), provider.image(age=OLD - 2 * 86400)
    assert image_gc.prune(provider.context) == 1
    repository = old.removeprefix(f"{provider.registry.host}/").removesuffix(":tag")
    assert provider.registry.deleted == [f"/v2/{repository}/manifests/{DIGEST}"]
    assert provider.known() == [new]


def test_what_runs_stays(provider: Provider) -> None:
    """An image that an active task may need counts as used, however old it is."""
    image = provider.image(age=OLD)
    provider.run(image)
    assert image_gc.prune(provider.context) == 0
    assert provider.registry.deleted == []
    assert image_gc.prune(provider.context) == 0
    assert provider.known() == [image]


def test_what_is_being_built_stays(provider: Provider) -> None:
    """An image that a worker holds is left alone, and so is one that was used a moment ago."""
    image = provider.image(age=OLD)
    with leases.held(provider.context.redis, f"image:{image}"):
        assert image_gc.prune(provider.context) == 0
    assert provider.known() == [image]
    with image_gc.in_use(provider.context, image):
        pass
    assert image_gc.prune(provider.context) == 0
    assert provider.registry.deleted == []


def test_another_registry_is_left_alone(provider: Provider) -> None:
    """An image in a registry that is configured no more is forgotten, not deleted."""
    image = "other.example/lagrange/space:tag"
    provider.context.redis.zadd(image_gc._IMAGES, {image: 0})
    assert image_gc.prune(provider.context) == 0
    assert provider.registry.asked == []
    assert provider.known() == []


def test_a_registry_that_deletes_nothing(provider: Provider) -> None:
    """It is not asked for ever."""
    provider.image(age=OLD)
    provider.registry.answer = lambda _path, _auth: (
        (405, {}, b"") if provider.registry.deleted else (200, {}, MANIFEST)
    )
    assert image_gc.prune(provider.context) == 0
    assert provider.known() == []


def test_what_is_gone_already(provider: Provider) -> None:
    """An image that somebody else deleted is forgotten."""
    provider.image(age=OLD)
    provider.registry.answer = lambda _path, _auth: (404, {}, b"")
    assert image_gc.prune(provider.context) == 1
    assert provider.known() == []


@pytest.mark.parametrize(("status", "error"), [(403, Permanent), (503, Temporary)])
def test_a_registry_that_does_not_do(
    provider: Provider, status: int, error: type[Exception]
) -> None:
    """Nothing is forgotten then."""
    image = provider.image(age=OLD)
    provider.registry.answer = lambda _path, _auth: (status, {}, b"")
    with pytest.raises(error):
        image_gc.prune(provider.context)
    assert provider.known() == [image]


def test_without_a_registry(provider: Provider) -> None:
    """There is nothing to do."""
    provider.image(age=OLD)
    table = replace(provider.context.config.registry, server_address="")
    bare = Context(provider.context.folder, replace(provider.context.config, registry=table))
    assert image_gc.prune(bare) == 0
