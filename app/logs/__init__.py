"""The logs of tasks over WebSocket: who may see which, and how one log is shown to many.

A watcher of containers shares what is read of the task with all others (`feed`); one of a build
reads for itself (`build`). Nobody is waited for: who cannot take lines as fast as they come is told
how many were skipped.
"""

from app.logs.endpoint import LogSocket

__all__ = ["LogSocket"]
