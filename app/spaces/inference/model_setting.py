"""Parser for `model-setting.json`, in which a tenant names the model to serve."""

import re

import msgspec

from app.errors import Permanent

MAX_BYTES = 64 << 10
MAX_MODEL_ID = 96

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_MODEL_ID = re.compile(rf"(?:{_PART}/)?{_PART}", re.ASCII)
_DOUBLED = ("--", "..")


def read(content: bytes) -> str:
    """Return the model id in a `model-setting.json`.

    Raises:
        Permanent: `model_invalid`, naming the field.
    """
    if len(content) > MAX_BYTES:
        raise _invalid(f"it is larger than {MAX_BYTES >> 10} KiB")
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(document, dict):
        raise _invalid('it must be a JSON object, such as {"model_id": "openai/whisper-small"}')
    model_id = document.get("model_id")
    if not isinstance(model_id, str) or not model_id.strip():
        raise _invalid("model_id: must be a string, such as `openai/whisper-small`")
    return _validate(model_id.strip())


def _validate(model_id: str) -> str:
    """Return the id if it is safe in a path and in an environment variable."""
    has_doubled = any(mark in model_id for mark in _DOUBLED)
    if len(model_id) > MAX_MODEL_ID or has_doubled or not _MODEL_ID.fullmatch(model_id):
        raise _invalid(
            "model_id: must be the id of a model on Hugging Face, `owner/name` of at most"
            f" {MAX_MODEL_ID} letters, digits, `-`, `_` and `.`"
        )
    return model_id


def _invalid(problem: str) -> Permanent:
    return Permanent(f"model-setting.json: {problem}", category="model_invalid")
