"""Fixtures of many tests: a real Redis, and a provider that uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from app.context import Context, open_context
from app.demo import local_redis
from tests.support import market
from tests.support.web_server import Web, serving

pytest_plugins = ["tests.support.api_servers", "tests.support.certificates"]

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """One server for each process that runs tests."""
    with local_redis.server() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server) as connection:
        connection.flushall()
    return redis_server


@pytest.fixture(scope="session")
def served_context(
    redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Context, Web]]:
    """One provider for each process that runs tests, serving; it keeps nothing outside Redis."""
    folder = tmp_path_factory.mktemp("provider")
    (folder / "config.toml").write_text(market.configuration(redis_server))
    opening = open_context(str(folder))
    with serving(opening) as web:
        yield opening, web
    opening.redis.close()


@pytest.fixture
def context(served_context: tuple[Context, Web], redis_url: str) -> Context:
    """The provider's context, with an empty Redis."""
    assert redis_url
    return served_context[0]


@pytest.fixture
def web(served_context: tuple[Context, Web], redis_url: str) -> Web:
    """The provider's process `web`, with an empty Redis."""
    assert redis_url
    return served_context[1]


@pytest.fixture
def provider_folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a further provider, which knows the keys of `tests.support.market`."""
    folder = tmp_path / "provider"
    folder.mkdir()
    (folder / "config.toml").write_text(market.configuration(redis_url))
    return folder
