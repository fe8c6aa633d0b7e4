"""Client for the Hugging Face hub: a model's framework, its task, and whether it is public."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

import msgspec

from app import config
from app.errors import Permanent, Temporary
from app.net import http_client
from app.net.http_client import Answer
from app.spaces.inference.frameworks import FRAMEWORKS, from_library

SECONDS = 20.0
MAX_BYTES = 8 << 20
REDIRECTS = 3

_REDIRECTING = {301, 302, 303, 307, 308}
_TEMPORARY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MAX_RETRY_AFTER_SECONDS = 600
_TASK = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_LIBRARY_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model that can be served: its id, one of `FRAMEWORKS`, and its task."""

    model_id: str
    framework: str
    task: str


class _Description(msgspec.Struct):
    """The fields of a hub's description that count; `gated` is false, or the kind of gate."""

    library_name: str | None = None
    pipeline_tag: str | None = None
    tags: tuple[str, ...] | None = None
    private: bool = False
    disabled: bool = False
    gated: bool | str = False


async def describe(table: config.Inference, model_id: str) -> ModelDescription:
    """Ask the hub for the description of a model.

    The token is sent to the configured server alone: a redirect elsewhere is not followed.

    Args:
        table: Where the hub is, and the token for it.
        model_id: As `model_setting.read` returned it.

    Raises:
        Permanent: `model_missing`, `model_denied`, `model_refused`, each with a remedy;
            `url_invalid`: the configured URL is not valid.
        Temporary: `hub`, `unreachable`: the hub is unavailable.
    """
    answer = await _fetch(table, model_id)
    if answer.status != HTTPStatus.OK:
        _refuse(answer, table, model_id)
    try:
        description = msgspec.json.decode(answer.body, type=_Description)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = f"the description of the model {model_id} at {_host(table)} cannot be read"
        raise Temporary(message, category="hub") from None
    return _validate(description, model_id)


async def _fetch(table: config.Inference, model_id: str) -> Answer:
    start = f"{table.server_url.rstrip('/')}/api/models/{model_id}"
    headers = {"Accept": "application/json"}
    if table.access_token:
        headers["Authorization"] = f"Bearer {table.access_token}"
    url = start
    async with http_client.client() as session:
        for _ in range(REDIRECTS + 1):
            answer = await http_client.send(
                session,
                "GET",
                url,
                body=b"",
                headers=headers,
                timeout_seconds=SECONDS,
                max_answer_bytes=MAX_BYTES,
            )
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTING or location is None:
                return answer
            url = _redirect_target(url, location, start)
    raise _too_many_redirects(table)


def _redirect_target(url: str, location: str, start: str) -> str:
    """Return the target of a redirect, which must be on the same server, as for renamed models."""
    try:
        target = urljoin(url, location)
        is_same_server = urlsplit(target)[:2] == urlsplit(start)[:2]
    except ValueError:
        is_same_server = False
    if not is_same_server:
        message = "the model's description redirects to another server, which is not followed"
        raise Permanent(message, category="model_denied")
    return target


def _too_many_redirects(table: config.Inference) -> Permanent:
    message = f"{_host(table)} redirects the request for a model more than {REDIRECTS} times"
    return Permanent(message, category="model_denied")


def _refuse(answer: Answer, table: config.Inference, model_id: str) -> NoReturn:
    status, host = answer.status, _host(table)
    if status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Temporary(
            f"{host} answered {status}", category="hub", retry_after=_retry_after(answer)
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        message = f"{host} has no model {model_id}; name another in model-setting.json"
        raise Permanent(message, category="model_missing")
    if status == HTTPStatus.UNAUTHORIZED and table.access_token:
        message = (
            f"{host} rejects this provider's token; its operator must replace"
            " [INFERENCE] AccessToken"
        )
        raise Permanent(message, category="model_denied")
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{host} has no public model {model_id}; name a public one in model-setting.json"
        raise Permanent(message, category="model_missing")
    message = f"{host} answered {status} for the model {model_id}; name a public model"
    raise Permanent(message, category="model_denied")


def _retry_after(answer: Answer) -> float | None:
    seconds = answer.headers.get("Retry-After", "")
    if not re.fullmatch(r"[0-9]{1,6}", seconds, re.ASCII):
        return None
    return min(float(seconds), _MAX_RETRY_AFTER_SECONDS)


def _validate(description: _Description, model_id: str) -> ModelDescription:
    if description.private or description.gated or description.disabled:
        word = "private" if description.private else "gated" if description.gated else "disabled"
        message = (
            f"the model {model_id} is {word}: the pod that serves it has no token to fetch it with;"
            " name a public model"
        )
        raise Permanent(message, category="model_refused")
    library = description.library_name
    framework = from_library(library) if library else _from_tags(description.tags or ())
    if framework is None:
        reason = f"is for {_printable(library)}" if library else "names no framework (library_name)"
        message = f"the model {model_id} {reason}; supported are {', '.join(FRAMEWORKS)}"
        raise Permanent(message, category="model_refused")
    if not _TASK.fullmatch(description.pipeline_tag or ""):
        message = f"the model {model_id} names no task (pipeline_tag); name a model that has one"
        raise Permanent(message, category="model_refused")
    return ModelDescription(model_id, framework, description.pipeline_tag or "")


def _from_tags(tags: tuple[str, ...]) -> str | None:
    return next((name for tag in tags if (name := from_library(tag))), None)


def _printable(word: str) -> str:
    return "".join(
        letter if letter.isprintable() else "·" for letter in word[:_MAX_LIBRARY_CHARACTERS]
    )


def _host(table: config.Inference) -> str:
    return urlsplit(table.server_url).hostname or "the hub"
