"""The one translation of redis-py's errors: Redis does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from app.errors import Temporary

UNAVAILABLE = (RedisError, OSError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise Temporary (category `memory`) for errors of redis-py in the block."""
    try:
        yield
    except UNAVAILABLE as error:
        raise Temporary(f"Redis does not answer: {error}", category="memory") from error
