"""A connection that asks a few questions and ends, for commands that have to start at once.

redis-py alone takes longer to import than such a command may run. It is still used for what is
rare: TLS, sockets, and URLs with more in them than a host and a database.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import hiredis

from app.errors import ConfigError, Temporary

_TIMEOUT_SECONDS = 5.0
_READ_BYTES = 1 << 16
_PORT = 6379
_PLAIN = re.compile(r"redis://(?P<host>[A-Za-z0-9.-]+)(:(?P<port>\d{1,5}))?(/(?P<database>\d*))?")

Command = Sequence[str | int]


class Wire:
    """One connection to Redis.

    Args:
        host: Where it is.
        port: Likewise.
        greeting: What is said first: `AUTH`, `SELECT`.
    """

    def __init__(self, host: str, port: int, *greeting: Command) -> None:
        self._address = host, port
        self._greeting = greeting
        self._reader = hiredis.Reader()
        self._socket: socket.socket | None = None

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands at once and return their answers: bytes, numbers, lists, None.

        A value of another type than the command is for is answered by None.

        Raises:
            Temporary: Redis is away (category `memory`).
        """
        try:
            connection = self._socket or self._open()
            answers = list(_sent(connection, self._reader, commands))
        except (OSError, hiredis.HiredisError) as error:
            self.close()
            raise _away(error) from error
        return [_answer(one) for one in answers]

    def close(self) -> None:
        """Give the connection back; a further question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        """As bytes, a host's name is resolved without what makes ASCII of foreign ones."""
        host, port = self._address
        ascii_host: Any = host.encode()
        self._reader = hiredis.Reader()
        self._socket = socket.create_connection((ascii_host, port), _TIMEOUT_SECONDS)
        for answer in _sent(self._socket, self._reader, self._greeting):
            if isinstance(answer, Exception):
                raise answer
        return self._socket


def _sent(
    connection: socket.socket, reader: hiredis.Reader, commands: Sequence[Command]
) -> Iterator[Any]:
    # Its stub knows tuples of one word alone.
    pack: Any = hiredis.pack_command
    connection.sendall(b"".join(pack(tuple(one)) for one in commands))
    for _ in commands:
        while (answer := reader.gets()) is False:
            received = connection.recv(_READ_BYTES)
            if not received:
                raise ConnectionError("the connection was closed")
            reader.feed(received)
        yield answer


class Elaborate:
    """The same by redis-py."""

    def __init__(self, url: str, password: str) -> None:
        import redis  # noqa: PLC0415 - slow to import.

        self._connection = redis.Redis.from_url(
            url,
            password=password or None,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
        )

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands at once and return their answers."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - slow to import.

        pipeline: Any = self._connection.pipeline(transaction=False)
        for one in commands:
            pipeline.execute_command(*one)
        try:
            answers = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise _away(error) from error
        return [_answer(one) for one in answers]

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def connect(url: str, password: str) -> Wire | Elaborate:
    """Return a connection that is opened at its first use.

    Args:
        url: `[API] RedisUrl`.
        password: `[API] RedisPassword`, or empty.

    Raises:
        ConfigError: The URL is none.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is None:
        try:
            return Elaborate(url, password)
        except ValueError as error:
            raise ConfigError("[API] RedisUrl is not redis://<host>:<port>") from error
    greeting = [("AUTH", password)] if password else []
    if plain["database"]:
        greeting.append(("SELECT", plain["database"]))
    return Wire(plain["host"], int(plain["port"] or _PORT), *greeting)


def _answer(answer: Any) -> Any:
    if not isinstance(answer, Exception):
        return answer
    if str(answer).startswith("WRONGTYPE"):
        return None
    raise _away(answer) from answer


def _away(error: Exception) -> Temporary:
    return Temporary(f"Redis does not answer: {error}", category="memory")
