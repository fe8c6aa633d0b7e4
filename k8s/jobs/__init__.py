"""Builds: Kubernetes Jobs that run rootless BuildKit in a namespace of ours, bounded and removed.

Steps of a stranger's Dockerfile run in a user namespace, in a container that never has the
registry's credentials in its file system. What a build needs comes from the registry, and what it
makes goes there, so that a Job goes on whatever happens to who ordered it, and is taken up again.
"""

from k8s.jobs.build import (
    BUILD,
    CLIENT,
    DAEMON,
    NAMESPACE,
    BuildJob,
    name,
)
from k8s.jobs.build_jobs import (
    is_under_way,
    remove,
    remove_of,
    remove_old,
    start,
)
from k8s.jobs.build_progress import Progress, look

__all__ = [
    "BUILD",
    "CLIENT",
    "DAEMON",
    "NAMESPACE",
    "BuildJob",
    "Progress",
    "is_under_way",
    "look",
    "name",
    "remove",
    "remove_of",
    "remove_old",
    "start",
]
