"""What workers, watcher and clock do with a task; each step can be repeated from any line."""

from app.lifecycle.advance import advance
from app.lifecycle.cleaning import clean
from app.lifecycle.ending import end_due, wake_stalled
from app.lifecycle.proving import prove
from app.lifecycle.pruning import prune
from app.lifecycle.pulling import refresh
from app.lifecycle.removing import sweep
from app.lifecycle.uploading import upload, upload_due

__all__ = [
    "advance",
    "clean",
    "end_due",
    "prove",
    "prune",
    "refresh",
    "sweep",
    "upload",
    "upload_due",
    "wake_stalled",
]
