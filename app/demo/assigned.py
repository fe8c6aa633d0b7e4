"""A job that the provider has accepted."""

from dataclasses import dataclass

import msgspec

from app.demo.fake_lagrange import Job
from app.demo.pods import Pods
from app.demo.setup import Stage


class Accepted(msgspec.Struct, frozen=True):
    """The provider's answer to an assignment."""

    task_id: str
    url: str
    status_url: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """A job that the provider has accepted."""

    stage: Stage
    job: Job
    accepted: Accepted
    pods: Pods
