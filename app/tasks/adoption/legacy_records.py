"""v0.3.0's record of a job: a hash `FULL:<space uuid>` of texts. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from app.store import redis_keys
from app.store.job_data import UUID
from k8s.naming import names

FIELDS = (
    "wallet_address",
    "space_name",
    "expire_time",
    "space_uuid",
    "job_uuid",
    "task_type",
    "hardware",
    "url",
)
_LAST_SECOND = 1 << 40
_MOST_CHARACTERS = 256


class Unusable(Exception):
    """A record that no task can be made of; says why."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A job as v0.3.0 wrote it down.

    Attributes:
        key: Where.
        job_uuid: Lower case, like `space_uuid` and `wallet`.
        hardware: As it was ordered; where v0.3.0 did not write that, `CPU` or `GPU`.
        host: Empty: not told.
        expires_at: Unix seconds.
    """

    key: str
    job_uuid: str
    space_uuid: str
    space_name: str
    wallet: str
    hardware: str
    host: str
    expires_at: int


def read(key: str, fields: Mapping[str, str] | None) -> Record:
    """Return what a record says.

    Args:
        key: Its key.
        fields: Its fields; None: it is no hash.

    Raises:
        Unusable: It is none of v0.3.0's, or one of a job that it never finished to deploy.
    """
    if fields is None:
        raise Unusable("it is no hash")
    space_uuid = _fitting(fields, "space_uuid", UUID).lower()
    if key.lower() != redis_keys.legacy_record(space_uuid).lower():
        raise Unusable(f"it is about Space {space_uuid}")
    return Record(
        key=key,
        space_uuid=space_uuid,
        job_uuid=_fitting(fields, "job_uuid", UUID).lower(),
        wallet=_fitting(fields, "wallet_address", "0[xX][0-9a-fA-F]{40}").lower(),
        space_name=fields.get("space_name", "")[:_MOST_CHARACTERS],
        hardware=(fields.get("hardware") or fields.get("task_type", ""))[:_MOST_CHARACTERS],
        host=_host(fields.get("url", "")),
        expires_at=_time(_fitting(fields, "expire_time", r"\s*[0-9]{1,13}\s*")),
    )


def _fitting(fields: Mapping[str, str], name: str, pattern: str) -> str:
    text = fields.get(name, "")
    if not text:
        raise Unusable(f"{name} is missing")
    if not re.fullmatch(pattern, text, re.ASCII):
        raise Unusable(f"{name} is {text[:50]!r}")
    return text


def _time(text: str) -> int:
    if not 0 < int(text) < _LAST_SECOND:
        raise Unusable(f"expire_time is {text!r}")
    return int(text)


def _host(url: str) -> str:
    if not url:
        return ""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not names.is_host(host):
        raise Unusable(f"url is {url[:100]!r}")
    return host
