"""What can still be read of a record that an older, a newer or a broken version wrote."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def salvaged(content: bytes, kind: type[T], **missing: Any) -> T | None:
    """Return a record with every field that has its type; None when it is no JSON object.

    Args:
        content: JSON.
        kind: Of the record. A text stays a text where one of certain words was expected.
        missing: What required fields are when they are missing or of another type.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except _MALFORMED:
        pass
    try:
        document = msgspec.json.decode(content)
    except _MALFORMED:
        return None
    if not isinstance(document, dict):
        return None
    found = dict(missing)
    for field in msgspec.structs.fields(kind):
        if field.encode_name in document:
            found |= _field(field, document[field.encode_name])
    return kind(**found)


def _field(field: msgspec.structs.FieldInfo, value: Any) -> dict[str, Any]:
    try:
        return {field.name: msgspec.convert(value, field.type)}
    except msgspec.ValidationError:
        return {field.name: value} if isinstance(value, str) and _is_word(field) else {}


def _is_word(field: msgspec.structs.FieldInfo) -> bool:
    return field.name in {"state", "status"}
