"""The logs of tasks over WebSocket: who may see which, and how one log is shown to many.

A watcher of containers shares what is read of the task with all others (`feed`). Nobody is waited
for: who cannot take lines as fast as they come is told how many were skipped. A watcher of a build
sees all of it, from its beginning, at a pace of its own (`build`).
"""

from app.web.logs.endpoint import LogSocket

__all__ = ["LogSocket"]
