"""Images built from the Dockerfiles of Spaces, by a builder of the operator's machine or a Job.

A build sees the Space's files and nothing else of ours: an environment of its own, no credentials,
a storage that begins empty and goes with the build, namespaces of its own, limits.
"""

from app.images.building import build
from app.images.choosing import choose
from app.images.context import BuildContext, describe, prepare
from app.images.folders import cgroup, temporary
from app.images.job import PROGRAM as JOB
from app.images.job import JobBuilder
from app.images.order import Builder, Limits, Order, name
from app.images.registry import Registry, configured

__all__ = [
    "JOB",
    "BuildContext",
    "Builder",
    "JobBuilder",
    "Limits",
    "Order",
    "Registry",
    "build",
    "cgroup",
    "choose",
    "configured",
    "describe",
    "name",
    "prepare",
    "temporary",
]
