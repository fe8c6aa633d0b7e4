"""Tests of the hub client, over real HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Inference
from app.errors import Permanent, Temporary
from app.spaces.inference import (
    FRAMEWORKS,
    ModelDescription,
    describe,
    image_name,
)
from tests.support import fake_hub
from tests.support.fake_hub import Answer, Hub

TOKEN = "hf_secret"
KNOWN = {"library_name": "transformers", "pipeline_tag": "text-generation", "gated": False}


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that knows one model."""
    with fake_hub.serving() as server:
        server.models["a/b"] = {**KNOWN, "siblings": [{"rfilename": "x"}], "downloads": 7}
        yield server


def table(hub: Hub, token: str = "") -> Inference:
    """Return the configuration for a hub."""
    return Inference(server_url=f"{hub.url}/", access_token=token)


async def test_a_model(hub: Hub) -> None:
    """Framework and task come from the hub; the token is sent if there is one."""
    assert await describe(table(hub), "a/b") == ModelDescription(
        "a/b", "transformers", "text-generation"
    )
    await describe(table(hub, TOKEN), "a/b")
    assert hub.asked == [("/api/models/a/b", ""), ("/api/models/a/b", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("fields", "framework"),
    [
        ({"library_name": "sentence-transformers"}, "sentence_transformers"),
        ({"library_name": "Pyannote-Audio"}, "pyannote_audio"),
        ({"library_name": None, "tags": ["pytorch", "diffusers", "transformers"]}, "diffusers"),
    ],
)
async def test_frameworks(hub: Hub, fields: dict[str, Any], framework: str) -> None:
    """A library's hyphens are a framework's underscores; without a library, tags decide."""
    hub.models["a/b"] = {**KNOWN, **fields}
    assert (await describe(table(hub), "a/b")).framework == framework


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"library_name": "mlx"}, "is for mlx; supported are adapter_transformers, "),
        ({"library_name": "common\x1b"}, "is for common·; "),
        ({"library_name": None, "tags": ["mlx"]}, "names no framework (library_name); "),
        ({"pipeline_tag": None}, "names no task (pipeline_tag)"),
        ({"pipeline_tag": "a b\n"}, "names no task (pipeline_tag)"),
        ({"gated": "manual"}, "is gated: "),
        ({"private": True}, "is private: "),
        ({"disabled": True}, "is disabled: "),
    ],
)
async def test_models_that_cannot_be_served(hub: Hub, fields: dict[str, Any], words: str) -> None:
    """A model that no pod could serve is refused, with the reason."""
    hub.models["a/b"] = {**KNOWN, **fields}
    with pytest.raises(Permanent) as refused:
        await describe(table(hub), "a/b")
    assert refused.value.category == "model_refused"
    assert refused.value.message.startswith(f"the model a/b {words}")
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    ("status", "token", "category", "words"),
    [
        (404, "", "model_missing", "has no model a/b; "),
        (401, "", "model_missing", "has no public model a/b; "),
        (401, TOKEN, "model_denied", "rejects this provider's token; "),
        (403, TOKEN, "model_denied", "answered 403 for the model a/b; "),
        (400, "", "model_denied", "answered 400 for the model a/b; "),
    ],
)
async def test_refusals(hub: Hub, status: int, token: str, category: str, words: str) -> None:
    """A refusal has a remedy, and never the token."""
    hub.answers["/api/models/a/b"] = status, {}, b"{}"
    with pytest.raises(Permanent) as refused:
        await describe(table(hub, token), "a/b")
    assert refused.value.category == category
    assert refused.value.message.startswith(f"127.0.0.1 {words}")
    assert TOKEN not in refused.value.message


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ((429, {"Retry-After": "7"}, b""), 7),
        ((429, {"Retry-After": "99999"}, b""), 600),
        ((503, {"Retry-After": "soon"}, b""), None),
        ((200, {}, b"<html>"), None),
        ((200, {}, b'{"pipeline_tag": 7}'), None),
    ],
)
async def test_temporary_failures(hub: Hub, answer: Answer, pause: float | None) -> None:
    """An overloaded or broken hub is retried, after its Retry-After if it sends one."""
    hub.answers["/api/models/a/b"] = answer
    with pytest.raises(Temporary) as failed:
        await describe(table(hub), "a/b")
    assert (failed.value.category, failed.value.retry_after) == ("hub", pause)


async def test_an_unreachable_hub() -> None:
    """An unreachable hub is no reason to refuse a model."""
    with pytest.raises(Temporary) as failed:
        await describe(Inference(server_url="http://127.0.0.1:1"), "a/b")
    assert failed.value.category == "unreachable"


async def test_a_renamed_model(hub: Hub) -> None:
    """A redirect on the same server is followed."""
    hub.answers["/api/models/old"] = 307, {"Location": "/api/models/a/b"}, b""
    assert (await describe(table(hub), "old")).framework == "transformers"


async def test_redirects_elsewhere(hub: Hub) -> None:
    """Another server is never asked, whatever redirects to it, so it never gets the token."""
    with fake_hub.serving() as other:
        other.models["a/b"] = KNOWN
        for location in (f"{other.url}/api/models/a/b", "//[", hub.url.replace("http", "ftp")):
            hub.answers["/api/models/a/b"] = 302, {"Location": location}, b""
            with pytest.raises(Permanent, match="another server"):
                await describe(table(hub, TOKEN), "a/b")
        assert other.asked == []


async def test_redirects_for_ever(hub: Hub) -> None:
    """A redirect loop is left after a few rounds."""
    hub.answers["/api/models/a/b"] = 302, {"Location": "/api/models/a/b"}, b""
    with pytest.raises(Permanent, match="redirects the request for a model more than 3 times"):
        await describe(table(hub), "a/b")
    assert len(hub.asked) == 4


def test_images() -> None:
    """An image is in the operator's registry, or in the nodes' default registry."""
    assert image_name("transformers", "") == "lagrange/transformers:v1.0"
    assert image_name("k2", "r.example/x") == "r.example/x/lagrange/k2:v1.0"
    assert sorted(set(FRAMEWORKS)) == list(FRAMEWORKS)
