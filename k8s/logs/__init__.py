"""The logs of a workload's containers, followed while pods come and go.

`TaskLog` finds the pods of a task again and again and reads each container's log in a thread of its
own (`session`), into buffers that do not grow: who does not take what was read holds up the
reading, and nothing else. Every line comes as `<time stamp> [<pod>] <text>`, and none comes twice.
"""

from k8s.logs.lines import NOWHERE, Filter, LogPosition, remark
from k8s.logs.session import Extent, LogSource
from k8s.logs.task import Piece, TaskLog

__all__ = ["NOWHERE", "Extent", "Filter", "LogPosition", "LogSource", "Piece", "TaskLog", "remark"]
