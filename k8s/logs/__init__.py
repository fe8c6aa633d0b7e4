"""Container logs of a task, followed while its pods come and go.

`TaskLog` lists the pods of a task periodically and reads each container's log in a thread of its
own (`session`), into bounded buffers: a slow consumer delays reading, and nothing else. Every line
comes as `<time stamp> [<pod>] <text>`, exactly once. Nothing here stores logs or serves clients.
"""

from k8s.logs.lines import NOWHERE, Filter, LogPosition, remark
from k8s.logs.session import Extent, LogSource
from k8s.logs.task import Piece, TaskLog

__all__ = ["NOWHERE", "Extent", "Filter", "LogPosition", "LogSource", "Piece", "TaskLog", "remark"]
