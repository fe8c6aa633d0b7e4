"""The shapes of what Lagrange sends, as types; `check` tells every field that is wrong."""

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from app.errors import FieldError
from app.store.records import OptionalUuid, PositiveSeconds


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


_T = TypeVar("_T", bound=msgspec.Struct)


class Invalid(ValueError):
    """A document that is not of its shape; `errors` names every wrong field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors


def check(document: Any, kind: type[_T], *, pointer: str = "") -> _T:
    """Return `document` (decoded JSON) as `kind`.

    Raises:
        Invalid: With one error for each wrong or missing field, not just the first.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError:
        pass
    if not isinstance(document, dict):
        raise Invalid((FieldError(pointer, "has to be an object"),))
    errors = []
    for field in msgspec.structs.fields(kind):
        where = f"{pointer}/{field.encode_name}"
        if field.encode_name not in document:
            if field.required:
                errors.append(FieldError(where, "is missing"))
            continue
        try:
            msgspec.convert(document[field.encode_name], field.type)
        except msgspec.ValidationError as error:
            errors.append(FieldError(where, _explained(str(error), field.type)))
    raise Invalid(tuple(errors))


def _explained(message: str, kind: Any) -> str:
    message = message.partition(" - at `")[0]
    if "matching regex" in message:
        return f"has to be {_description(kind)}"
    return re.sub(r"^Expected ", "has to be ", message)


def _description(kind: Any) -> str:
    for meta in getattr(kind, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.description:
            return meta.description
    return "of another form"
