"""Redis' clients, of which a test cuts off its own: others share the server."""

import redis


def known(connection: redis.Redis) -> set[str]:
    """Return the ids of all that are connected now."""
    return {one["id"] for one in connection.client_list()}


def cut_off(connection: redis.Redis, spared: set[str]) -> None:
    """End every connection but these."""
    for one in known(connection) - spared:
        connection.client_kill_filter(_id=one)
