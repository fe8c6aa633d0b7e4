"""What workers, watcher and clock do with a task; each step can be repeated from any line."""

from app.lifecycle.advance import advance
from app.lifecycle.ending import end_due, wake_stalled
from app.lifecycle.removing import sweep

__all__ = ["advance", "end_due", "sweep", "wake_stalled"]
