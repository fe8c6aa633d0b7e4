"""Garbage collection of our images in the registry, by the time of their last use."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from app.context import Context
from app.spaces import images
from app.spaces.images import Registry
from app.store import leases
from app.store.redis_errors import translated

log = structlog.get_logger()

_IMAGES = "cp:images"  # sorted set: name of an image that we pushed, by the time of its last use
_DIGESTS = "cp:image-digests"  # hash: name of such an image, and the digest that we pushed
_DAY_SECONDS = 86400
_AT_ONCE = 20


@contextmanager
def in_use(context: Context, image: str) -> Iterator[None]:
    """Hold an image while it is looked for and built; afterwards it counts as used.

    Raises:
        leases.Busy: Another worker holds it.
        Temporary: Redis is away.
    """
    with leases.held(context.redis, f"image:{image}"):
        yield
        _use(context, image)


def pushed(context: Context, image: str) -> str | None:
    """Return the digest that we pushed under this name; None: we pushed none.

    What the registry has under the name is no answer: others may be able to push there.

    Raises:
        Temporary: Redis is away.
    """
    connection: Any = context.redis
    with translated():
        digest: bytes | None = connection.hget(_DIGESTS, image)
    return digest.decode() if digest else None


def record(context: Context, image: str, digest: str) -> None:
    """Record the digest that we pushed under this name.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        context.redis.hset(_DIGESTS, image, digest)


def prune(context: Context, _: str = "") -> int:
    """Delete images that no task has used for the days that the operator says; return how many.

    Only those that this provider pushed, and only from the registry that is configured now.

    Raises:
        Permanent: The registry refuses.
        Temporary: Redis or the registry is away.
    """
    registry = images.configured(context.config.registry)
    if registry is None:
        return 0
    until = time.time() - context.config.build.keep_days * _DAY_SECONDS
    with translated():
        connection: Any = context.redis
        old = connection.zrangebyscore(_IMAGES, "-inf", until, start=0, num=_AT_ONCE)
    deployed = _deployed(context) if old else set()
    deleted = 0
    for name in old:
        try:
            with leases.held(context.redis, f"image:{name.decode()}"):
                deleted += _prune(context, registry, name.decode(), deployed, until)
        except leases.Busy:
            continue
    return deleted


def _prune(
    context: Context, registry: Registry, image: str, deployed: set[str], until: float
) -> bool:
    if not image.startswith(f"{registry.place}/lagrange/"):
        return _forgotten(context, image, "another registry's")
    with translated():
        used_at: Any = context.redis.zscore(_IMAGES, image)
    if used_at is None or used_at > until:
        return False
    digest = pushed(context, image)
    if f"{image.rpartition(':')[0]}@{digest}" in deployed:
        _use(context, image)
        return False
    if digest and not asyncio.run(registry.delete(image, digest)):
        return _forgotten(context, image, "the registry deletes no images")
    _forgotten(context, image, "deleted")
    return True


def _use(context: Context, image: str) -> None:
    with translated():
        context.redis.zadd(_IMAGES, {image: time.time()})


def _forgotten(context: Context, image: str, reason: str) -> bool:
    with translated():
        context.redis.zrem(_IMAGES, image)
        context.redis.hdel(_DIGESTS, image)
    log.info("image forgotten", image=image, reason=reason)
    return False


def _deployed(context: Context) -> set[str]:
    """Return the images of every version that runs, is to run, or may have to run again."""
    return {
        container.image
        for task in context.store.active()
        for revision in range(1, task.latest_revision + 1)
        if (workload := context.store.workload(task.id, revision))
        for component in workload.components
        for container in component.containers
    }
