"""The demonstration's choice of a Redis."""

from pathlib import Path

import pytest
import redis

from app.demo.polling import Failed
from app.demo.redis_choice import database


def test_a_configured_redis_is_left_as_it_was(tmp_path: Path, redis_url: str) -> None:
    """It is used when it is empty, and our keys go with us."""
    with redis.Redis.from_url(redis_url) as connection:
        with database(tmp_path / "redis", {"CP_API_REDISURL": redis_url}) as chosen:
            assert chosen.url == redis_url
            connection.mset({"cp:tasks": "ours", "rq:queues": "ours", "other": "theirs"})
        assert connection.keys() == [b"other"]
    with pytest.raises(Failed, match="CP_API_REDISURL"):
        _use(tmp_path / "away", "redis://127.0.0.1:1")


def _use(folder: Path, url: str) -> None:
    with database(folder, {"CP_API_REDISURL": url}):
        pass
