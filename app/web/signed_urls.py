"""URLs that carry their own permission: a code that only this provider can make."""

import base64
import hashlib
import hmac
from datetime import timedelta

from app.config import Config
from app.config.identity import Identity
from app.store.records import Task

LOG_PATH = "/api/v1/computing/lagrange/spaces/log"
LOGS_READABLE = timedelta(days=1)
_CODE_BYTES = 18


class TaskUrlSigner:
    """Makes and checks the URLs of tasks' states."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._key = identity.derive("task links")
        self._base = base_url(config)

    def url(self, task_id: str) -> str:
        """Return the URL of a task's state."""
        return f"{self._base}/tasks/{task_id}?code={self._code(task_id)}"

    def allows(self, task_id: str, code: str) -> bool:
        """Tell whether a code is this task's."""
        return hmac.compare_digest(self._code(task_id).encode(), code.encode())

    def _code(self, task_id: str) -> str:
        return _code(self._key, task_id)


class LogUrlSigner:
    """Makes and checks the URLs of tasks' logs; a code contains its expiry."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._key = identity.derive("log links")
        self._base = f"wss://log.{config.api.domain}:{port(config)}{LOG_PATH}"

    def url(self, task: Task, kind: str, *, by_space: bool = False) -> str:
        """Return the URL of a log, which is valid until a day after the task's time.

        Args:
            task: The task that writes it.
            kind: `build` or `container`.
            by_space: Name the Space, as v0.3.0 does, and not the job.
        """
        reference = f"space_id={task.space_uuid}" if by_space else f"job_uuid={task.id}"
        until = int(task.start_deadline + task.duration + LOGS_READABLE.total_seconds())
        code = self._code(task.id, kind, str(until))
        return f"{self._base}?{reference}&type={kind}&code={until}.{code}"

    def expiry(self, task_id: str, kind: str, code: str) -> int | None:
        """Return when a code expires, unix seconds; None when it is not this log's."""
        until, _, signature = code.partition(".")
        genuine = self._code(task_id, kind, until).encode()
        return int(until) if hmac.compare_digest(genuine, signature.encode()) else None

    def _code(self, task_id: str, kind: str, until: str) -> str:
        return _code(self._key, f"{task_id} {kind} {until}")


def _code(key: bytes, text: str) -> str:
    signature = hmac.digest(key, text.encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(signature[:_CODE_BYTES]).decode()


def base_url(config: Config) -> str:
    """Return the provider's public URL; empty when MultiAddress has none."""
    parts = config.api.multi_address.split("/")
    if len(parts) < 5 or not parts[4].isdigit():  # noqa: PLR2004 - /ip4/<address>/tcp/<port>
        return ""
    scheme = "https" if config.log.crt_file else "http"
    return f"{scheme}://{parts[2]}:{parts[4]}"


def port(config: Config) -> int:
    """Return the public port: that of MultiAddress, else the one that web listens on."""
    parts = config.api.multi_address.split("/")
    has_port = len(parts) > 4 and parts[4].isdigit()  # noqa: PLR2004 - /ip4/<address>/tcp/<port>
    return int(parts[4]) if has_port else config.api.port
