"""The API server as a process of its own, and the kubeconfig that leads to it."""

import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from app.demo.cluster.api import create

_NAME = "simulated"
_GOODBYE_SECONDS = 1


def serve(
    *,
    kubeconfig: Path,
    port: int = 0,
    token: str = "",
    startup_seconds: float = 0.5,
    history: int = 10_000,
) -> None:
    """Serve on 127.0.0.1 until SIGTERM, which ends the process, or SIGINT. In the main thread.

    Args:
        kubeconfig: Where to write how to get here, once it can be got to; removed at the end.
        port: 0: any that is free.
        token: The bearer token to ask for; empty: a new one.
        startup_seconds: From a pod's creation until it is ready.
        history: How many changes are known to watches.

    Raises:
        OSError: The port is taken, or the file cannot be written.
        SystemExit: At SIGTERM, with status 0.
        KeyboardInterrupt: At SIGINT.
    """
    token = token or secrets.token_urlsafe(32)
    app = create(startup_seconds=startup_seconds, history=history, token=token)
    server = _server(app)
    with _listening(port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        signal.signal(signal.SIGTERM, _exit)
        _write(kubeconfig, address, token)
        try:
            server.run(sockets=[listener])
        finally:
            kubeconfig.unlink(missing_ok=True)


def command(kubeconfig: Path, **options: object) -> list[str]:
    """Return the command line that serves; the options are those of `serve`."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return [sys.executable, "-m", __package__, *flags, str(kubeconfig)]


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
        )
    )


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        yield listener


def _write(path: Path, address: str, token: str) -> None:
    """Write the kubeconfig so that it is never seen half, nor by others."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _NAME,
        "clusters": [{"name": _NAME, "cluster": {"server": address}}],
        "users": [{"name": _NAME, "user": {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(config, file, indent=1)
    draft.replace(path)
