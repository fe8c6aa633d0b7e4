"""What Hugging Face says of a model: its framework, its task, and whether everybody may have it."""

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
from app.spaces.inference.frameworks import FRAMEWORKS, named

SECONDS = 20.0
MAX_BYTES = 8 << 20
REDIRECTS = 3

_REDIRECTING = {301, 302, 303, 307, 308}
_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LONGEST_PAUSE_SECONDS = 600
_TASK = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model that can be served: its id, one of `FRAMEWORKS`, and its task."""

    model_id: str
    framework: str
    task: str


class _Description(msgspec.Struct):
    """The part of a description that is looked at; `gated` is false or says how."""

    library_name: str | None = None
    pipeline_tag: str | None = None
    tags: tuple[str, ...] | None = None
    private: bool = False
    disabled: bool = False
    gated: bool | str = False


async def describe(table: config.Inference, model_id: str) -> ModelDescription:
    """Ask the hub for a model.

    The token goes to the configured server alone: who redirects elsewhere is not followed.

    Args:
        table: Where the hub is, and the token for it.
        model_id: As `setting.read` returned it.

    Raises:
        Permanent: `model_missing`, `model_denied`, `model_refused`, each with what to do;
            `url_invalid`: the configured URL is none.
        Temporary: `hub`, `unreachable`: it is away.
    """
    answer = await _asked(table, model_id)
    if answer.status != HTTPStatus.OK:
        _refuse(answer, table, model_id)
    try:
        found = msgspec.json.decode(answer.body, type=_Description)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = f"what {_host(table)} says of the model {model_id} cannot be read"
        raise Temporary(message, category="hub") from None
    return _described(found, model_id)


async def _asked(table: config.Inference, model_id: str) -> Answer:
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
            url = _followed(url, location, start)
    raise _lost(table)


def _followed(url: str, location: str, start: str) -> str:
    """Return where a redirect leads: on the same server, which is how renamed models are found."""
    try:
        target = urljoin(url, location)
        same = urlsplit(target)[:2] == urlsplit(start)[:2]
    except ValueError:
        same = False
    if not same:
        message = "the model's description redirects to another server, which is not followed"
        raise Permanent(message, category="model_denied")
    return target


def _lost(table: config.Inference) -> Permanent:
    message = f"{_host(table)} redirects the model's description more than {REDIRECTS} times"
    return Permanent(message, category="model_denied")


def _refuse(answer: Answer, table: config.Inference, model_id: str) -> NoReturn:
    status, host = answer.status, _host(table)
    if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Temporary(f"{host} answers {status}", category="hub", retry_after=_pause(answer))
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        message = f"{host} has no model {model_id}; name one that it has in model-setting.json"
        raise Permanent(message, category="model_missing")
    if status == HTTPStatus.UNAUTHORIZED and table.access_token:
        message = (
            f"{host} does not take this provider's token; its operator has to replace [INFERENCE]"
            " AccessToken"
        )
        raise Permanent(message, category="model_denied")
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{host} has no public model {model_id}; name a public one in model-setting.json"
        raise Permanent(message, category="model_missing")
    message = (
        f"{host} answers {status} for the model {model_id}; name a model that everybody may read"
    )
    raise Permanent(message, category="model_denied")


def _pause(answer: Answer) -> float | None:
    seconds = answer.headers.get("Retry-After", "")
    if not re.fullmatch(r"[0-9]{1,6}", seconds, re.ASCII):
        return None
    return min(float(seconds), _LONGEST_PAUSE_SECONDS)


def _described(found: _Description, model_id: str) -> ModelDescription:
    if found.private or found.gated or found.disabled:
        word = "private" if found.private else "gated" if found.gated else "disabled"
        message = (
            f"the model {model_id} is {word}: the pod that serves it has no token to fetch it with;"
            " name a model that everybody may read"
        )
        raise Permanent(message, category="model_refused")
    library = found.library_name
    framework = named(library) if library else _of_tags(found.tags or ())
    if framework is None:
        what = f"is for {_shown(library)}" if library else "names no framework (library_name)"
        message = f"the model {model_id} {what}; those served here are {', '.join(FRAMEWORKS)}"
        raise Permanent(message, category="model_refused")
    if not _TASK.fullmatch(found.pipeline_tag or ""):
        message = f"the model {model_id} names no task (pipeline_tag); name a model that has one"
        raise Permanent(message, category="model_refused")
    return ModelDescription(model_id, framework, found.pipeline_tag or "")


def _of_tags(tags: tuple[str, ...]) -> str | None:
    return next((name for tag in tags if (name := named(tag))), None)


def _shown(word: str) -> str:
    return "".join(letter if letter.isprintable() else "·" for letter in word[:_SHOWN])


def _host(table: config.Inference) -> str:
    return urlsplit(table.server_url).hostname or "the hub"
