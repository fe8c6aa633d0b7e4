"""Images built from the Dockerfiles of Spaces, by a builder of the operator's machine or a Job.

A build sees the Space's files and nothing else of ours: an environment of its own, no credentials,
a storage that begins empty and goes with the build, namespaces of its own, limits.
"""

from app.spaces.images.build import ProgramBuilder
from app.spaces.images.build_context import BuildContext, describe, prepare
from app.spaces.images.build_request import Builder, BuildRequest, name
from app.spaces.images.buildkit_job import PROGRAM as JOB
from app.spaces.images.buildkit_job import JobBuilder
from app.spaces.images.detect import choose
from app.spaces.images.registry import Registry, allowed_registries, configured
from k8s.jobs.build import BuildLimits

__all__ = [
    "JOB",
    "BuildContext",
    "BuildLimits",
    "BuildRequest",
    "Builder",
    "JobBuilder",
    "ProgramBuilder",
    "Registry",
    "allowed_registries",
    "choose",
    "configured",
    "describe",
    "name",
    "prepare",
]
