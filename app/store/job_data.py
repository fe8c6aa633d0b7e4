"""The job on the wire, field by field."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

# `\Z`, since `$` also fits before a line's end.
Uuid = Annotated[str, Meta(pattern=rf"^{UUID}\Z", description="a uuid")]
OptionalUuid = Annotated[str, Meta(pattern=rf"^({UUID})?\Z", description="a uuid, or empty")]
Url = Annotated[
    str,
    Meta(
        pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x20]+\Z",
        max_length=2048,
        description="an http(s) URL",
    ),
]
Text = Annotated[str, Meta(max_length=2048)]
PositiveSeconds = Annotated[int, Meta(ge=1, le=1 << 40)]
_MAX_ADDRESSES = 256


class JobData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as Lagrange describes it (protocol v0.3.0, and v1.1.5 from `job_type` on).

    Unknown fields are ignored. `duration` is in seconds.
    """

    uuid: Uuid
    duration: PositiveSeconds
    job_source_uri: Url
    name: Text = ""
    status: Text = ""
    job_result_uri: Text = ""
    storage_source: Text = ""
    task_uuid: OptionalUuid = ""
    created_at: Text = ""
    updated_at: Text = ""
    build_log: Text = ""
    container_log: Text = ""
    node_id_job_source_uri_signature: Text = ""
    job_real_uri: Text = ""
    job_type: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    bid_price: Text = ""
    ip_white_list: Annotated[list[Text], Meta(max_length=_MAX_ADDRESSES)] | None = None


def source_uuid(url: str) -> str:
    """Return the Space's uuid in `…/spaces/<uuid>`, lower case; empty when the path names none."""
    match = re.match(rf"[^?#]*/({UUID})/?(?:[?#]|\Z)", url)
    return match[1].lower() if match else ""
