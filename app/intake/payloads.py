"""The payloads of Lagrange's events, as types; an assignment's is `store.job_data.JobData`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.store.job_data import OptionalUuid, PositiveSeconds


class _Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A task named by one of its uuids; the most exact of those given counts."""

    job_uuid: OptionalUuid = ""
    uuid: OptionalUuid = ""
    task_uuid: OptionalUuid = ""
    space_uuid: OptionalUuid = ""

    @property
    def named(self) -> str:
        """The uuid, lower case; empty when none is given."""
        return (self.job_uuid or self.uuid or self.task_uuid or self.space_uuid).lower()


class Renewal(_Reference, frozen=True, kw_only=True):
    """`job.renewed`: so many seconds more."""

    duration: PositiveSeconds


class Termination(_Reference, frozen=True, kw_only=True):
    """`job.terminated`."""

    reason: Annotated[str, Meta(max_length=1024)] = ""
