"""The demonstration's Redis: the configured one, else a server of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from app.config import Api, load
from app.demo import local_redis
from app.demo.polling import Failed

_CONNECT_SECONDS = 3
_NAMES = ("cp:*", "rq:*")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Database:
    """A Redis that is up; `description` is for people."""

    url: str
    password: str
    description: str


@contextmanager
def database(folder: Path, environment: Mapping[str, str]) -> Iterator[Database]:
    """Yield a Redis for as long as the demonstration lasts; nothing of it stays there.

    Args:
        folder: Created here; a server of our own writes there.
        environment: `CP_API_REDISURL` names an existing server.

    Raises:
        ConfigError: There is no server, or it does not start.
        Failed: The configured one does not answer, or is in use.
    """
    folder.mkdir()
    if "CP_API_REDISURL" in environment:
        with _configured(load(folder, environment).api) as configured:
            yield configured
        return
    name = Path(local_redis.program()).name
    with local_redis.server(folder) as url:
        yield Database(url, "", f"{name} at {url}")


@contextmanager
def _configured(api: Api) -> Iterator[Database]:
    """Use an empty database of the operator's, and delete our keys from it afterwards."""
    connection = _connected(api)
    try:
        yield Database(api.redis_url, api.redis_password, "the server that CP_API_REDISURL names")
    finally:
        _forget(connection)
        connection.close()


def _connected(api: Api) -> redis.Redis:
    """Refuse a database in use: a provider that works on it would take our jobs for its own."""
    try:
        connection = redis.Redis.from_url(
            api.redis_url,
            password=api.redis_password or None,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_CONNECT_SECONDS,
        )
        used = connection.dbsize()
    except (redis.exceptions.RedisError, ValueError) as error:
        raise Failed(f"the Redis of CP_API_REDISURL: {error}") from error
    if used:
        raise Failed(
            "the database of CP_API_REDISURL is not empty; name an empty one (redis://…/9), "
            "or unset the variable and the demonstration runs a server of its own"
        )
    return connection


def _forget(connection: redis.Redis) -> None:
    try:
        for pattern in _NAMES:
            keys = list(connection.scan_iter(match=pattern, count=_BATCH))
            for start in range(0, len(keys), _BATCH):
                connection.unlink(*keys[start : start + _BATCH])
    except redis.exceptions.RedisError as error:
        raise Failed(f"keys may be left in the Redis of CP_API_REDISURL: {error}") from error
