"""What many tests stand on: a real Redis, and a provider's folder that uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app import embedded
from app.context import Context, opened
from tests import market


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """One server for each process that runs tests."""
    with embedded.server() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server) as connection:
        connection.flushall()
    return redis_server


@pytest.fixture
def provider_folder(tmp_path: Path, redis_url: str) -> Path:
    """A provider's folder, which knows the keys of `tests.market`."""
    folder = tmp_path / "provider"
    folder.mkdir()
    (folder / "config.toml").write_text(market.configuration(redis_url))
    return folder


@pytest.fixture
def context(provider_folder: Path) -> Iterator[Context]:
    """The provider's context."""
    opening = opened(str(provider_folder))
    yield opening
    opening.redis.close()
