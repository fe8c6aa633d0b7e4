"""JSON from others as typed values: decoded by msgspec, with an error for every wrong field."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from app.errors import FieldError

_MAX_ERRORS = 100

_T = TypeVar("_T", bound=msgspec.Struct)


class Invalid(ValueError):
    """A document of another shape than was expected; `errors` names every wrong field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors


def check(document: Any, kind: type[_T], *, pointer: str = "") -> _T:
    """Return `document` (decoded JSON) as `kind`.

    Args:
        document: Anything.
        kind: Structs in its fields, and in lists of those, are checked field by field too.
        pointer: The document's own place, as a JSON pointer.

    Raises:
        Invalid: With one error for each wrong or missing field, the first hundred at most.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError:
        raise Invalid(tuple(islice(_errors(document, kind, pointer), _MAX_ERRORS))) from None


def _errors(value: Any, kind: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _errors_of_fields(value, kind, pointer)
    elif get_origin(kind) is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _errors(item, get_args(kind)[0], f"{pointer}/{index}")
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            yield FieldError(pointer, _explained(str(error), kind))


def _errors_of_fields(value: Any, kind: type[msgspec.Struct], pointer: str) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(pointer, "has to be an object")
        return
    for field in msgspec.structs.fields(kind):
        place = f"{pointer}/{field.encode_name}"
        if field.encode_name in value:
            yield from _errors(value[field.encode_name], field.type, place)
        elif field.required:
            yield FieldError(place, "is missing")


def _explained(message: str, kind: Any) -> str:
    """Say it in the words of the type, but for a length: those do not tell the limit."""
    description = _description(kind)
    if description and " of length " not in message:
        return f"has to be {description}"
    message = message.partition(" - at `")[0]
    if "matching regex" in message:
        return "has to be of another form"
    return re.sub(r"^Expected ", "has to be ", message)


def _description(kind: Any) -> str:
    for meta in getattr(kind, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.description:
            return meta.description
    return ""
