"""The budget of what tenants make the provider write to Redis, kept by the clock.

Redis at its limit refuses writes. So new work is refused long before, and what ends tasks, which
frees memory, is carried out even then (`transaction_script.RELEASING_SCRIPT`).
"""

from datetime import timedelta
from typing import Any

import redis
import structlog

from app.store import redis_keys
from app.store.redis_errors import translated

log = structlog.get_logger()

FULL_PERCENT = 80
_LIMIT_PERCENT = 98
_RESERVE_PERCENT = 2
BUILD_LOGS_MAX_BYTES = 64 << 20
_FULL_KEPT = timedelta(minutes=1)
_MARK = """#!lua flags=allow-oom
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
"""
_RELEASE_HOSTS = """
local names = redis.call('HGETALL', KEYS[1])
local released = 0
for index = 1, #names, 2 do
  if redis.call('SISMEMBER', KEYS[2], names[index + 1]) == 0 then
    released = released + redis.call('HDEL', KEYS[1], names[index])
  end
end
return released
"""


def mark_full(connection: Any) -> bool:
    """Have new jobs refused while more than `FULL_PERCENT` of Redis' memory is used.

    At the limit a reserve is given up, so that workers can remove the tasks that end. Without
    `maxmemory` there is no mark.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        memory = connection.info("memory")
        limit = memory["maxmemory"]
        percentage = memory["used_memory"] * 100 // limit if limit else 0
        if percentage < FULL_PERCENT:
            connection.unlink(redis_keys.FULL)
            if limit and not connection.exists(redis_keys.RESERVE):
                connection.setrange(redis_keys.RESERVE, limit * _RESERVE_PERCENT // 100, b"\0")
            return False
        if percentage >= _LIMIT_PERCENT:
            connection.unlink(redis_keys.RESERVE)
        connection.eval(_MARK, 1, redis_keys.FULL, percentage, _FULL_KEPT.seconds)
    log.warning("redis is almost full", percentage=percentage)
    return True


def trim_build_logs(connection: redis.Redis) -> int:
    """Delete the oldest build logs beyond `BUILD_LOGS_MAX_BYTES`, all while Redis is almost full.

    Returns:
        The number of logs deleted.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        pipeline: Any = connection.pipeline(transaction=False)
        pipeline.zrange(redis_keys.BUILD_LOGS, 0, -1, desc=True)
        pipeline.exists(redis_keys.FULL)
        ids, is_full = pipeline.execute()
        keys = {task_id: redis_keys.build_log(task_id.decode()) for task_id in ids}
        for key in keys.values():
            pipeline.memory_usage(key)
        left = 0 if is_full else BUILD_LOGS_MAX_BYTES
        deleted = 0
        for (task_id, key), size in zip(keys.items(), pipeline.execute(), strict=True):
            left -= size or 0
            if size is None or left < 0:
                pipeline.zrem(redis_keys.BUILD_LOGS, task_id)
                pipeline.unlink(key)
                deleted += size is not None
        pipeline.execute()
    return deleted


def release_hosts(connection: Any) -> int:
    """Release the host names of tasks that are over; return how many.

    Raises:
        Temporary: Redis is away.
    """
    with translated():
        return int(connection.eval(_RELEASE_HOSTS, 2, redis_keys.HOSTS, redis_keys.ACTIVE))
