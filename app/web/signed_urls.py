"""Links that are their own permission: an address with a code that only this provider can make."""

import base64
import hashlib
import hmac
from datetime import timedelta

from app.config import Config
from app.config.identity import Identity
from app.store.records import Task

LOGS = "/api/v1/computing/lagrange/spaces/log"
LOGS_READABLE = timedelta(days=1)
_CODE_BYTES = 18


class Signer:
    """Makes and checks the codes of links to a task."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._key = identity.derive("task links")
        self._base = base_url(config)

    def task(self, task_id: str) -> str:
        """Return where the state of a task can be read."""
        return f"{self._base}/tasks/{task_id}?code={self._code(task_id)}"

    def allows(self, task_id: str, code: str) -> bool:
        """Tell whether the code is this task's."""
        return hmac.compare_digest(self._code(task_id).encode(), code.encode())

    def _code(self, task_id: str) -> str:
        return _code(self._key, task_id)


class LogSigner:
    """Makes and checks the addresses of a task's logs; a code says until when it counts."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._key = identity.derive("log links")
        self._base = f"wss://log.{config.api.domain}:{port(config)}{LOGS}"

    def url(self, task: Task, kind: str, *, by_space: bool = False) -> str:
        """Return where a log (`build` or `container`) can be read until a day after the task.

        Args:
            task: Whose.
            kind: Which.
            by_space: Name the Space, as v0.3.0 does, and not the job.
        """
        which = f"space_id={task.space_uuid}" if by_space else f"job_uuid={task.id}"
        until = int(task.start_deadline + task.duration + LOGS_READABLE.total_seconds())
        code = self._code(task.id, kind, str(until))
        return f"{self._base}?{which}&type={kind}&code={until}.{code}"

    def until(self, task_id: str, kind: str, code: str) -> int | None:
        """Return until when a code counts, unix seconds; None when it is not this log's."""
        until, _, rest = code.partition(".")
        genuine = hmac.compare_digest(self._code(task_id, kind, until).encode(), rest.encode())
        return int(until) if genuine else None

    def _code(self, task_id: str, kind: str, until: str) -> str:
        return _code(self._key, f"{task_id} {kind} {until}")


def _code(key: bytes, text: str) -> str:
    whole = hmac.digest(key, text.encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(whole[:_CODE_BYTES]).decode()


def base_url(config: Config) -> str:
    """Return where this provider is reached from outside; empty when MultiAddress does not say."""
    parts = config.api.multi_address.split("/")
    if len(parts) < 5 or not parts[4].isdigit():  # noqa: PLR2004 - /ip4/<address>/tcp/<port>
        return ""
    scheme = "https" if config.log.crt_file else "http"
    return f"{scheme}://{parts[2]}:{parts[4]}"


def port(config: Config) -> int:
    """Return the port of MultiAddress, else the one that web listens on."""
    parts = config.api.multi_address.split("/")
    has_port = len(parts) > 4 and parts[4].isdigit()  # noqa: PLR2004 - /ip4/<address>/tcp/<port>
    return int(parts[4]) if has_port else config.api.port
