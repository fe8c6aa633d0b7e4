"""Links that are their own permission: an address with a code that only this provider can make."""

import base64
import hashlib
import hmac

from app.config import Config
from app.identity import Identity

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
        whole = hmac.digest(self._key, task_id.encode(), hashlib.sha256)
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
