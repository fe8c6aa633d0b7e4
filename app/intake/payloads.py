"""Types of the events' data, and the one refusal of data of another type."""

from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from app.errors import FieldError, Rejected
from app.net import typed_json
from app.store.job_data import OptionalUuid, PositiveSeconds


class _Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A task named by one of its uuids; the most specific of those given counts."""

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


_T = TypeVar("_T", bound=msgspec.Struct)


def check(document: Any, kind: type[_T], *, pointer: str = "") -> _T:
    """Return `document` (decoded JSON) as `kind`.

    Args:
        document: The JSON.
        kind: Its type.
        pointer: The place of the document in the body, for error messages.

    Raises:
        Rejected: 422 with one error for each wrong or missing field.
    """
    try:
        return typed_json.check(document, kind, pointer=pointer)
    except typed_json.Invalid as error:
        raise invalid(*error.errors) from None


def invalid(*errors: FieldError, detail: str = "") -> Rejected:
    """Return the refusal of an event's data: 422, code `invalid`.

    Args:
        errors: Every wrong field.
        detail: A sentence about all of them; made out of the errors when there is none.
    """
    listed = "; ".join(f"{error.pointer}: {error.detail}" for error in errors)
    return Rejected(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail or listed, errors=errors)
