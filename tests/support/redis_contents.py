"""The contents of Redis, compared before and after."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis


def everything(redis_url: str) -> dict[bytes, Any]:
    """Return all that Redis holds, but metrics."""
    with redis.Redis.from_url(redis_url) as connection:
        names = [name for name in connection.scan_iter(count=1000) if name != b"cp:metrics"]
        return {name: _content(connection, name) for name in names}


def _content(connection: Any, name: bytes) -> Any:
    kind = connection.type(name)
    if kind == b"string":
        return connection.get(name)
    if kind == b"hash":
        return connection.hgetall(name)
    if kind == b"set":
        return connection.smembers(name)
    if kind == b"zset":
        return connection.zrange(name, 0, -1, withscores=True)
    return connection.lrange(name, 0, -1)


@contextmanager
def unchanged(redis_url: str) -> Iterator[None]:
    """Check that nothing in Redis changes, but metrics and the ids of refused messages."""
    before = _lasting(redis_url)
    yield
    assert _lasting(redis_url) == before


def _lasting(redis_url: str) -> dict[bytes, Any]:
    contents = everything(redis_url)
    return {name: content for name, content in contents.items() if not _is_digest(name, content)}


def _is_digest(name: bytes, content: Any) -> bool:
    """Tell whether a key binds a refused message: it has a digest and no receipt."""
    return name.startswith(b"cp:inbox:") and content.startswith(b'"')
