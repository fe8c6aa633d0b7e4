"""Logs of tasks over WebSocket: permission to see them, and the fan-out of one log to many clients.

Watchers of containers share one reader for each task (`feed`). No client is waited for: a slow one
gets a remark with the number of lines that it missed. A watcher of a build sees all of its log,
from the beginning, at its own pace (`build`).
"""

from app.web.logs.endpoint import LogEndpoint

__all__ = ["LogEndpoint"]
